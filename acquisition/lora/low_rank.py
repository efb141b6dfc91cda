"""A Gaussian over P weights whose precision is a diagonal plus R directions: d + WᵀW, in memory P·(R + 1).

Sums of squared gradients come in row by row; a sketch keeps their leading directions and puts what it lets
go onto the diagonal, so that the diagonal of the whole stays exact. With at least as many directions as
rows nothing is let go and the sum is exact. Samples and covariances are exact for the precision that is
kept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.randomness import generator


class Precision(NamedTuple):
    """The inverse covariance diag(d) + WᵀW.

    Attributes:
        diagonal_P: d, above 0.
        directions_R_P: W.
    """

    diagonal_P: Tensor
    directions_R_P: Tensor

    def sample(self, n_samples: int, seed: int) -> Tensor:
        """Draws deviations_T_P from the mean: a sample of the diagonal's prior, corrected by what W says."""
        chance, (n_directions, n_weights) = generator(seed), self.directions_R_P.shape
        noise_T_P = torch.randn(n_samples, n_weights, generator=chance)
        noise_T_R = torch.randn(n_samples, n_directions, generator=chance)
        prior_T_P = noise_T_P.to(self.diagonal_P) * self.diagonal_P.rsqrt()
        seen_T_R = prior_T_P @ self.directions_R_P.T + noise_T_R.to(self.diagonal_P)
        solved_T_R = torch.cholesky_solve(seen_T_R.double().T, self._inner()).T.to(prior_T_P)
        return prior_T_P - (solved_T_R @ self.directions_R_P) / self.diagonal_P

    def covariance(self, rows_O_P: Tensor) -> Tensor:
        """Computes J (diag(d) + WᵀW)⁻¹ Jᵀ for rows J, [O, O] in float64."""
        scaled_O_P = rows_O_P / self.diagonal_P
        seen_R_O = (self.directions_R_P @ scaled_O_P.T).double()
        solved_R_O = torch.cholesky_solve(seen_R_O, self._inner())
        return (rows_O_P @ scaled_O_P.T).double() - seen_R_O.T @ solved_R_O

    def _inner(self) -> Tensor:
        """The Cholesky factor of I + W d⁻¹ Wᵀ."""
        inner_R_R = ((self.directions_R_P / self.diagonal_P) @ self.directions_R_P.T).double()
        factor_R_R: Tensor = torch.linalg.cholesky(inner_R_R + torch.eye(len(inner_R_R)).to(inner_R_R))
        return factor_R_R


class Sketch:
    """Adds up gᵀg over rows g; holds at most twice as many rows as directions are kept."""

    def __init__(self, directions: int, n_weights: int, device: torch.device) -> None:
        self._most, self._whole = directions, True
        self._rows = torch.zeros(0, n_weights, device=device)
        self._diagonal_P = torch.zeros(n_weights, device=device)

    def add(self, rows_O_P: Tensor) -> None:
        """Adds some rows."""
        self._diagonal_P += rows_O_P.square().sum(0)
        self._rows = torch.cat([self._rows, rows_O_P])
        if len(self._rows) > 2 * self._most:
            self._compress()

    def _compress(self) -> None:
        if len(self._rows) <= self._most:
            return
        self._whole = False
        _, vectors = torch.linalg.eigh((self._rows @ self._rows.T).double())
        leading = vectors[:, vectors.shape[1] - self._most :].T.to(self._rows)
        self._rows = leading @ self._rows

    def precision(self, prior: float) -> Precision:
        """Returns prior · I plus the sum."""
        self._compress()
        rest_P = (self._diagonal_P - self._rows.square().sum(0)).clamp_min(0)
        return Precision(prior + (torch.zeros_like(rest_P) if self._whole else rest_P), self._rows)
