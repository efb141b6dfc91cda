"""Exact Bayesian linear regression with the noise and the prior that maximise the evidence.

Formula: y = Φ w + ε with ε ~ N(0, I/β), w ~ N(0, I/τ). With the singular values Φ = U S Vᵀ the
posterior is independent along the columns of V: variance 1/(β s² + τ), mean β s (Uᵀy) times that;
across them the prior stays. For each ratio τ/β the best β has a closed form, β = n / Σ (Uᵀy)² / (1 + s²
β/τ) with the rest of y beside it; the ratio is taken from a grid. Cost: one singular value
decomposition, O(n·P·min(n, P)).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

RATIOS = [10 ** (step / 20) for step in range(-120, 121)]
MOST_PRECISE = 1e4


class LinearFit(NamedTuple):
    """The posterior of the weights.

    Attributes:
        basis_P_R: Columns of V.
        mean_R: Along those columns; zero across them.
        variance_R: Likewise; ``1 / precision`` across them.
        precision: τ.
        noise: 1/β.
        log_evidence: ln p(y | τ, β).
    """

    basis_P_R: Tensor
    mean_R: Tensor
    variance_R: Tensor
    precision: float
    noise: float
    log_evidence: float


def linear_fit(features_n_P: Tensor, values_n: Tensor) -> LinearFit:
    """Fits values of about unit variance; noise variances below 1e-4 are not considered."""
    left_n_R, singular_R, right_R_P = torch.linalg.svd(features_n_P, full_matrices=False)
    along_R = left_n_R.T @ values_n
    rest = (values_n.square().sum() - along_R.square().sum()).clamp_min(0)
    tried = [_evidence(singular_R, along_R, rest, len(values_n), ratio) for ratio in RATIOS]
    best = max(range(len(RATIOS)), key=lambda n: tried[n].value)
    beta = tried[best].beta
    precision = RATIOS[best] * beta
    variance_R = 1 / (beta * singular_R.square() + precision)
    mean_R = beta * singular_R * along_R * variance_R
    return LinearFit(right_R_P.T.contiguous(), mean_R, variance_R, precision, 1 / beta, tried[best].value)


class _Tried(NamedTuple):
    value: float
    beta: float


def _evidence(singular_R: Tensor, along_R: Tensor, rest: Tensor, n: int, ratio: float) -> _Tried:
    growth_R = 1 + singular_R.square() / ratio
    squares = float((along_R.square() / growth_R).sum() + rest)
    beta = min(n / max(squares, n / MOST_PRECISE), MOST_PRECISE)
    value = -0.5 * (
        beta * squares + float(growth_R.log().sum()) - n * math.log(beta) + n * math.log(2 * math.pi)
    )
    return _Tried(value, beta)
