"""Temperature: divides every log-probability by one number, so that confidence fits the held-out labels.

Formula: p' ∝ p^(1/τ) for each sample; τ > 1 makes less sure, and no class overtakes another in a sample. τ
is the minimiser of the negative log-likelihood of the mean of the T tempered samples, searched in float64
over 0.001 ≤ τ ≤ 1000 on a grid and then by golden section. Cost: about 80 passes of O(T·N·C).
When to use: nearly always, and first. It can not repair single classes: see ``vector``. Few held-out items
give a τ that scatters, by about a quarter with 300 items of which one in ten is wrong: compare the held-out
calibration error with its floor before anything is calibrated.
What to tune: ``prior_sd`` keeps τ near 1 where labels are few, and finite where all items are right.
Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from acquisition.calibration.held_out import HeldOut, log_mean
from acquisition.calibration.prior import check_prior_sd, refuse_impossible
from acquisition.errors import InvalidInput

TENSORS = ("temperature",)
FARTHEST = math.log(1000.0)
GRID = 49
GOLDEN = (math.sqrt(5) - 1) / 2
PRECISION = 1e-6


def build(*, prior_sd: float = 1.0) -> Callable[[HeldOut], dict[str, Tensor]]:
    """Returns the fitter.

    Args:
        prior_sd: Standard deviation of ln τ around 0 before any label was seen; at 1 it weighs as much as
            some 20 items of which one in ten is wrong. Infinity is plain maximum likelihood.

    Raises:
        InvalidOption: ``prior_sd`` is not positive.
    """
    check_prior_sd(prior_sd)
    return partial(fit, prior_sd=prior_sd)


def fit(items: HeldOut, *, prior_sd: float) -> dict[str, Tensor]:
    """Finds the temperature.

    Raises:
        InvalidInput: An item's class has probability zero, or no finite temperature is best.
    """
    refuse_impossible(items)
    n_items = len(items.targets_N)

    def loss(log_temperature: float) -> float:
        penalty = 0.5 * (log_temperature / prior_sd) ** 2 / n_items
        return _negative_log_likelihood(items, math.exp(log_temperature)) + penalty

    found = _minimum(loss)
    if abs(found) > FARTHEST - 1e-3:
        raise InvalidInput(
            f"No finite temperature is best for these {n_items} items: all are predicted rightly, or worse "
            "than by chance. Give more held-out items, or a finite prior_sd."
        )
    return {"temperature": torch.tensor(math.exp(found), dtype=torch.float64)}


def apply(tensors: Mapping[str, Tensor], log_probs_T_N_C: Tensor) -> Tensor:
    """Computes the tempered log-probabilities of each sample."""
    return (log_probs_T_N_C / tensors["temperature"]).log_softmax(-1)


def _negative_log_likelihood(items: HeldOut, temperature: float) -> float:
    scaled_T_N_C = items.log_probs_T_N_C / temperature
    return -float(log_mean(items.of_targets(scaled_T_N_C) - scaled_T_N_C.logsumexp(-1)).mean())


def _minimum(loss: Callable[[float], float]) -> float:
    """Finds the least of a grid and narrows its neighbourhood down; several samples may make two valleys."""
    step = 2 * FARTHEST / (GRID - 1)
    points = [-FARTHEST + step * i for i in range(GRID)]
    middle = min(points, key=loss)
    low, high = max(middle - step, -FARTHEST), min(middle + step, FARTHEST)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > PRECISION:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
