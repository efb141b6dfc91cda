"""The prior precision τ of a Laplace approximation, chosen on a grid.

By held-out likelihood: the curvature of 75 % of the items, and of the other 25 % the negative logarithm
of the mean predicted density of 100 samples, the same random numbers for every τ. By marginal
likelihood (MacKay 1992): ln p(y | ŵ) − ½ τ |ŵ|² + ½ M ln τ − ½ ln |H + τI| with M weights.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from acquisition.errors import InvalidInput, InvalidOption
from acquisition.laplace.curvature import (
    Curvature,
    Structure,
    curvature,
    output_information,
)
from acquisition.laplace.last_linear import outputs
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import Task, losses

PriorPrecision = float | Literal["marginal_likelihood"] | None
HELD_OUT_SHARE = 0.25
HELD_OUT_GRID = [10 ** (step / 2) for step in range(-6, 9)]
EVIDENCE_GRID = [10 ** (step / 20) for step in range(-80, 121)]
N_SAMPLES = 100


class Items(NamedTuple):
    """What the last layer is given, and what it is to say, in float64 on the CPU."""

    features: Tensor
    targets: Tensor
    task: Task


def check_precision(precision: PriorPrecision) -> PriorPrecision:
    """Refuses what is no way to choose a prior precision."""
    if precision is None or precision == "marginal_likelihood":
        return precision
    if isinstance(precision, bool | str) or not 0 < precision < math.inf:
        raise InvalidOption(
            f"prior_precision is {precision!r}; None (by held-out likelihood), 'marginal_likelihood' or a "
            "number above 0 is expected."
        )
    return float(precision)


class Halves(NamedTuple):
    """Rows to fit on and rows to measure on."""

    fitted: Tensor
    held_out: Tensor


def halves(n_items: int, seed: int) -> Halves:
    """Puts a random quarter of the rows aside.

    Raises:
        InvalidInput: Less than two items.
    """
    if n_items < 2:
        raise InvalidInput(
            f"Found {n_items} item; two are needed to hold one out. Give prior_precision as a number."
        )
    order = torch.randperm(n_items, generator=generator(derived_seed(seed, 3)))
    n_held_out = max(1, round(HELD_OUT_SHARE * n_items))
    return Halves(fitted=order[n_held_out:], held_out=order[:n_held_out])


def with_ones(features: Tensor, weights_C_P: Tensor) -> Tensor:
    """Puts the bias's one in place of what is behind the features, [N, P]."""
    features_N_D = features[:, : weights_C_P.shape[1] - 1]
    return torch.cat([features_N_D, features_N_D.new_ones(len(features_N_D), 1)], 1)


def curvature_of(structure: Structure, weights_C_P: Tensor, items: Items) -> Curvature:
    """Computes the curvature at the weights."""
    raw_N_O = outputs(weights_C_P[None], items.features)[0]
    n_outputs = len(weights_C_P)
    information = output_information(items.task, raw_N_O)[:, :n_outputs, :n_outputs]
    return curvature(structure, information, with_ones(items.features, weights_C_P))


def by_held_out(weights_C_P: Tensor, found: Curvature, held_out: Items, seed: int) -> float:
    """Returns the τ of the grid with the least held-out loss; the larger one of equals."""
    noise = torch.randn(
        N_SAMPLES, *weights_C_P.shape, generator=generator(derived_seed(seed, 4)), dtype=weights_C_P.dtype
    )
    loss = {
        tau: _held_out_loss(weights_C_P + found.deviations(noise, tau), held_out) for tau in HELD_OUT_GRID
    }
    return min(reversed(HELD_OUT_GRID), key=lambda tau: loss[tau])


def _held_out_loss(weights_T_C_P: Tensor, items: Items) -> float:
    raw_T_N_O = outputs(weights_T_C_P, items.features)
    targets = items.targets.expand(len(raw_T_N_O), *items.targets.shape)
    log_density_N = (-losses(items.task, raw_T_N_O, targets)).logsumexp(0) - math.log(len(raw_T_N_O))
    return -float(log_density_N.mean())


def log_evidence(weights_C_P: Tensor, found: Curvature, items: Items, precision: float) -> float:
    """Computes Laplace's ln p(y | τ), exact where the likelihood is Gaussian in the weights."""
    log_likelihood = -float(
        losses(items.task, outputs(weights_C_P[None], items.features)[0], items.targets).sum()
    )
    return (
        log_likelihood
        - 0.5 * precision * float((weights_C_P**2).sum())
        + 0.5 * weights_C_P.numel() * math.log(precision)
        - 0.5 * found.log_determinant(precision)
    )


def by_marginal_likelihood(weights_C_P: Tensor, found: Curvature, items: Items) -> float:
    """Returns the τ of the grid with the largest evidence."""
    return max(EVIDENCE_GRID, key=lambda tau: log_evidence(weights_C_P, found, items, tau))
