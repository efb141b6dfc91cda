"""Overall uncertainty: stop when the model is sure of what is left.

Rule: the mean entropy of the predictions is below ``threshold``, in nats, in the last ``window`` rounds.
Needs the mean entropy of each round. O(window).
When to use: beside another rule; an over-confident model is sure too early, a noisy task never is, so
calibrate first.
What to tune: ``threshold``; the entropy of one prediction is at most ln C, and 0.05 is about 99 %
certainty.
Source: Zhu et al. 2010, https://doi.org/10.1145/1753783.1753784.
"""

from __future__ import annotations

from functools import partial

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.stopping.history import History, Rule, Verdict, not_enough


def build(*, threshold: float = 0.05, window: int = 1) -> Rule:
    """Returns the rule; ``threshold`` is in nats."""
    check_count("window", window)
    if not 0 < threshold < float("inf"):
        raise InvalidOption(f"threshold is {threshold!r}; a positive entropy in nats is expected.")
    return partial(judge, threshold=threshold, window=window)


def judge(history: History, *, threshold: float, window: int) -> Verdict:
    """Compares the largest mean entropy with the threshold."""
    rounds = "round" if window == 1 else f"{window} rounds"
    rule = f"Stop when the mean entropy of the last {rounds} is below {threshold:g} nats."
    found = [round_.mean_entropy for round_ in history.rounds[-window:]]
    known = [value for value in found if value is not None]
    if len(known) < window:
        return not_enough(rule, f"the mean entropy of the last {rounds} is needed", threshold)
    largest = max(known)
    return Verdict(largest < threshold, f"{rule} It is {largest:.4f} at most.", largest, threshold)
