"""Classification change: stop when new labels no longer change what the model predicts.

Rule: in each of the last ``window`` steps at most a share ``threshold`` of the predicted classes changed; 0
is the paper's. Needs predictions of the same items in ``window`` + 1 rounds, of a stop set or of the whole
pool. O(window·N).
When to use: the stop set is small, or the pool is clean; on a large noisy pool a share of 0 may never come.
What to tune: ``threshold``, for example 0.005. Source: Zhu et al. 2010,
https://doi.org/10.1145/1753783.1753784.
"""

from __future__ import annotations

from functools import partial

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.stopping.agreement import changed_shares, evidence_needed
from acquisition.stopping.history import History, Rule, Verdict, not_enough


def build(*, threshold: float = 0.0, window: int = 1) -> Rule:
    """Returns the rule."""
    check_count("window", window)
    if not 0 <= threshold < 1:
        raise InvalidOption(f"threshold is {threshold!r}; a share of at least 0 and below 1 is expected.")
    return partial(judge, threshold=threshold, window=window)


def judge(history: History, *, threshold: float, window: int) -> Verdict:
    """Compares the largest share of changes with the threshold."""
    rule = f"Stop when at most {threshold:.3%} of the predicted classes change in each of {window} steps."
    found = changed_shares(history, window)
    if found is None:
        return not_enough(rule, evidence_needed(window), threshold)
    constant = history.rounds[-1].predicted_N
    if constant is not None and len(constant) > 1 and bool((constant == constant[0]).all()):
        return not_enough(rule, "the last round gave all items one and the same class", threshold)
    largest = max(found)
    return Verdict(largest <= threshold, f"{rule} At most {largest:.3%} did.", largest, threshold)
