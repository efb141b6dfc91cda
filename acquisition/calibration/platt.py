"""Platt: a logistic curve over the log-odds of each class against the rest, normalised over the classes.

Formula: g_c = σ(a_c · ln(p_c / (1 − p_c)) + b_c), p' = g / Σ g, of the mean prediction p; a and b minimise
the cross entropy with Platt's targets (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2) in place of 1 and 0, by Newton
steps. With two classes it is Platt's method and the two curves add up to one. The samples follow their
mean, see ``moving``: one item's samples are calibrated together. Cost: about 10 passes of O(N·C).
When to use: two classes. Each of many classes needs some 30 labels of its own, or the smoothed targets pull
its probabilities far from what they were: take ``temperature`` or ``vector`` then.
What to tune: nothing. Source: Platt 1999, https://www.researchgate.net/publication/2594015; Newton steps as
in Lin, Lin and Weng 2007, https://doi.org/10.1007/s10994-007-5018-6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.calibration.held_out import HeldOut, log_mean
from acquisition.calibration.moving import moved
from acquisition.calibration.one_vs_rest import log_odds, normalised

TENSORS = ("offset_C", "slope_C")
STEPS = 100


def build() -> Callable[[HeldOut], dict[str, Tensor]]:
    """Returns the fitter; it has no options."""
    return fit


def fit(items: HeldOut) -> dict[str, Tensor]:
    """Finds slope and offset of each class."""
    odds_N_C = log_odds(items.log_mean_N_C)
    is_class_N_C = functional.one_hot(items.targets_N, odds_N_C.shape[1]).double()
    curves = [
        _curve(odds_N, is_N) for odds_N, is_N in zip(odds_N_C.unbind(1), is_class_N_C.unbind(1), strict=True)
    ]
    slope_C, offset_C = torch.stack(curves).unbind(1)
    return {"offset_C": offset_C.clone(), "slope_C": slope_C.clone()}


def apply(tensors: Mapping[str, Tensor], log_probs_T_N_C: Tensor) -> Tensor:
    """Computes the calibrated mean and moves the samples to it."""
    odds_N_C = log_odds(log_mean(log_probs_T_N_C))
    curves_N_C = functional.logsigmoid(tensors["slope_C"] * odds_N_C + tensors["offset_C"])
    return moved(log_probs_T_N_C, normalised(curves_N_C))


def _curve(odds_N: Tensor, is_class_N: Tensor) -> Tensor:
    """Finds (slope, offset) of one class by Newton steps that are halved until the loss falls."""
    positives, n_items = is_class_N.sum(), len(is_class_N)
    high, low = (positives + 1) / (positives + 2), 1 / (n_items - positives + 2)
    targets_N = torch.where(is_class_N > 0, high, low)
    design_N_2 = torch.stack([odds_N, torch.ones_like(odds_N)], 1)
    start = torch.stack([torch.zeros_like(positives), ((positives + 1) / (n_items - positives + 1)).log()])
    best = _loss(start, design_N_2, targets_N)
    for _ in range(STEPS):
        found, value = _step(start, best, design_N_2, targets_N)
        if not bool(value < best - 1e-13 * best.abs()):
            return start
        start, best = found, value
    return start


def _step(start: Tensor, best: Tensor, design_N_2: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    probs_N = torch.sigmoid(design_N_2 @ start)
    gradient_2 = design_N_2.T @ (probs_N - targets_N)
    hessian_2_2 = (design_N_2 * (probs_N * (1 - probs_N))[:, None]).T @ design_N_2
    ridge_2_2 = 1e-12 * torch.eye(2, dtype=start.dtype, device=start.device)
    direction_2 = torch.linalg.solve(hessian_2_2 + ridge_2_2, gradient_2)
    for halvings in range(40):
        found = start - direction_2 / 2**halvings
        value = _loss(found, design_N_2, targets_N)
        if bool(value < best):
            return found, value
    return start, best


def _loss(parameters_2: Tensor, design_N_2: Tensor, targets_N: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(design_N_2 @ parameters_2, targets_N, reduction="sum")
