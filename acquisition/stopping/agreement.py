"""How much the predictions of neighbouring rounds agree."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.stopping.history import History


def cohen_kappa(first_N: Tensor, second_N: Tensor) -> float:
    """Computes (p_o − p_e) / (1 − p_e), the agreement beyond chance; at most 1.

    NaN where both give all items the same one class: agreement is then no evidence, chance alone would agree.
    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104.
    """
    n_items, n_classes = len(first_N), int(torch.max(first_N.max(), second_N.max())) + 1
    agreeing = float((first_N == second_N).double().mean())
    shares = [v.long().bincount(minlength=n_classes).double() / n_items for v in (first_N, second_N)]
    by_chance = float(shares[0] @ shares[1])
    if by_chance > 1 - 1e-12:
        return math.nan
    return (agreeing - by_chance) / (1 - by_chance)


def kappas(history: History, window: int) -> list[float] | None:
    """Computes the last ``window`` kappas of neighbouring rounds; None where a round lacks predictions."""
    pairs = _last_pairs(history, window)
    return None if pairs is None else [cohen_kappa(first, second) for first, second in pairs]


def changed_shares(history: History, window: int) -> list[float] | None:
    """Computes the last ``window`` shares of predicted classes that changed; None as in ``kappas``."""
    pairs = _last_pairs(history, window)
    return None if pairs is None else [float((a != b).double().mean()) for a, b in pairs]


def evidence_needed(window: int) -> str:
    """Says what ``window`` steps need."""
    return f"predictions of one stop set in the last {window + 1} rounds are needed"


def check_agreement(threshold: float, window: int) -> None:
    """Refuses options that no agreement can meet."""
    check_count("window", window)
    if not 0 < threshold <= 1:
        raise InvalidOption(f"threshold is {threshold!r}; an agreement above 0 and up to 1 is expected.")


def _last_pairs(history: History, window: int) -> list[tuple[Tensor, Tensor]] | None:
    found = [round_.predicted_N for round_ in history.rounds[-window - 1 :]]
    known = [predicted_N for predicted_N in found if predicted_N is not None]
    if len(known) < window + 1:
        return None
    return list(pairwise(known))
