"""Stabilizing predictions: stop when neighbouring models agree on a stop set, on average over some rounds.

Rule: the mean of Cohen's kappa over the last ``window`` steps is at least ``threshold``. Needs predictions
of one fixed, unlabeled stop set (a thousand random items or more) in ``window`` + 1 rounds; no label.
O(window·N).
When to use: nearly always; in the comparison of Pullar-Strecker et al. 2022
(https://arxiv.org/abs/2110.03802) among the reliable ones. What to tune: a lower ``threshold`` stops
earlier.
Source: Bloodgood and Vijay-Shanker 2009, https://aclanthology.org/W09-1107.
"""

from __future__ import annotations

import math
from functools import partial

from acquisition.stopping.agreement import check_agreement, evidence_needed, kappas
from acquisition.stopping.history import History, Rule, Verdict, not_enough


def build(*, threshold: float = 0.99, window: int = 3) -> Rule:
    """Returns the rule; kappa ≥ 0.99 on average over three steps is the paper's default."""
    check_agreement(threshold, window)
    return partial(judge, threshold=threshold, window=window)


def judge(history: History, *, threshold: float, window: int) -> Verdict:
    """Compares the mean kappa with the threshold."""
    rule = f"Stop when the mean kappa of the last {window} steps is at least {threshold:g}."
    found = kappas(history, window)
    if found is None:
        return not_enough(rule, evidence_needed(window), threshold)
    mean = sum(found) / len(found)
    if math.isnan(mean):
        return not_enough(rule, "two rounds gave all items of the stop set one and the same class", threshold)
    return Verdict(mean >= threshold, f"{rule} It is {mean:.4f}.", mean, threshold)
