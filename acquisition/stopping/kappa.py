"""Kappa: stop when each of the last models agrees with the one before it on a stop set.

Rule: Cohen's kappa of every one of the last ``window`` steps is at least ``threshold``. Stricter than
``stabilizing_predictions`` at the same window, since a good step can not make up for a bad one; with a
window of one the quickest rule there is. Needs predictions of one fixed stop set in ``window`` + 1 rounds.
O(window·N).
When to use: rounds are large and few. What to tune: ``window``, 1 to 5.
Source: Cohen 1960, https://doi.org/10.1177/001316446002000104.
"""

from __future__ import annotations

import math
from functools import partial

from acquisition.stopping.agreement import check_agreement, evidence_needed, kappas
from acquisition.stopping.history import History, Rule, Verdict, not_enough


def build(*, threshold: float = 0.99, window: int = 1) -> Rule:
    """Returns the rule."""
    check_agreement(threshold, window)
    return partial(judge, threshold=threshold, window=window)


def judge(history: History, *, threshold: float, window: int) -> Verdict:
    """Compares the least kappa with the threshold."""
    steps = "the last step" if window == 1 else f"each of the last {window} steps"
    rule = f"Stop when the kappa of {steps} is at least {threshold:g}."
    found = kappas(history, window)
    if found is None:
        return not_enough(rule, evidence_needed(window), threshold)
    if any(math.isnan(value) for value in found):
        return not_enough(rule, "two rounds gave all items of the stop set one and the same class", threshold)
    least = min(found)
    return Verdict(least >= threshold, f"{rule} The least is {least:.4f}.", least, threshold)
