"""A sparse Gaussian process: functions told by their values at M inducing points.

Formula: u_c = L (m_c + S_c ε), ε ~ N(0, I), with L Lᵀ = K_ZZ + jitter. For Gaussian noise Σ_c the best
m and S have a closed form (Titsias 2009): with A = L⁻¹ K_Zx and B = I + A Σ⁻¹ Aᵀ they are m = B⁻¹ A Σ⁻¹
y and S Sᵀ = B⁻¹. Between the points a function follows the prior, so draws go on by Matheron's rule
(``gaussian.draws``).
Cost: O(C·n·M² + C·M³), 8·(n·M + C·M²) bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.gaussian.draws import Known, drawn_functions
from acquisition.gaussian.kernel import Kernel, Marginals
from acquisition.randomness import derived_seed, generator
from acquisition.types import Draw

JITTER = 1e-6


class SparseValues(NamedTuple):
    """The distribution of the values.

    Attributes:
        places_M_D: Inducing points.
        kernel: Of the prior.
        white_mean_C_M: m.
        white_factor_C_M_M: S.
    """

    places_M_D: Tensor
    kernel: Kernel
    white_mean_C_M: Tensor
    white_factor_C_M_M: Tensor

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> SparseValues:
        """Reads saved tensors."""
        kernel = Kernel(tensors["lengthscale"], tensors["variance"])
        return cls(tensors["places"], kernel, tensors["white_mean"], tensors["white_factor"])

    def tensors(self) -> dict[str, Tensor]:
        """Names the tensors to save."""
        return {
            "places": self.places_M_D,
            "lengthscale": self.kernel.lengthscale,
            "variance": self.kernel.variance,
            "white_mean": self.white_mean_C_M,
            "white_factor": self.white_factor_C_M_M,
        }

    def draw(self, n_samples: int, n_features: int, seed: int) -> Draw:
        """Draws functions through samples of their values."""
        mean_C_M = self.white_mean_C_M
        factor_M_M = prior_factor(self.kernel, self.places_M_D)
        seeded = generator(derived_seed(seed, 2))
        normal, rough = (
            torch.randn(*mean_C_M.shape, n_samples, generator=seeded, dtype=torch.float64).to(mean_C_M.device)
            for _ in range(2)
        )
        values_C_M_T = factor_M_M @ (mean_C_M[..., None] + self.white_factor_C_M_M @ normal)
        jitter = JITTER * self.kernel.variance
        values_C_M_T = values_C_M_T - jitter.sqrt() * rough  # the jitter is part of the prior at these places
        known = Known(self.places_M_D, values_C_M_T, lambda rest: torch.cholesky_solve(rest, factor_M_M))
        return drawn_functions(self.kernel, known, n_features, seed)

    def marginals(self, whitened_M_N: Tensor) -> Marginals:
        """Computes mean and variance at items whose A is given."""
        own_N = self.kernel.variance - whitened_M_N.square().sum(0)
        told_C_N = (self.white_factor_C_M_M.transpose(1, 2) @ whitened_M_N).square().sum(1)
        return Marginals(self.white_mean_C_M @ whitened_M_N, (own_N + told_C_N).clamp_min(0))


def prior_factor(kernel: Kernel, places_M_D: Tensor) -> Tensor:
    """Computes L."""
    jitter_M = JITTER * kernel.variance * torch.ones_like(places_M_D[:, 0])
    found: Tensor = torch.linalg.cholesky(kernel(places_M_D, places_M_D) + torch.diag(jitter_M))
    return found


def whitened(kernel: Kernel, places_M_D: Tensor, items_n_D: Tensor) -> Tensor:
    """Computes A = L⁻¹ K_Zx, [M, n]."""
    factor_M_M = prior_factor(kernel, places_M_D)
    found: Tensor = torch.linalg.solve_triangular(factor_M_M, kernel(places_M_D, items_n_D), upper=False)
    return found


class Observed(NamedTuple):
    """A at the items, and what was seen there."""

    whitened_M_n: Tensor
    values_C_n: Tensor
    noise_C_n: Tensor

    def rows(self, rows: Tensor) -> Observed:
        """Takes some of the items."""
        return Observed(*(tensor[:, rows] for tensor in self))


def told(places_M_D: Tensor, kernel: Kernel, observed: Observed) -> SparseValues:
    """Computes the best distribution of the values, class by class."""
    means, factors = [], []
    eye = torch.eye(len(places_M_D), dtype=torch.float64, device=places_M_D.device)
    for values_n, noise_n in zip(observed.values_C_n, observed.noise_C_n, strict=True):
        weighted_M_n = observed.whitened_M_n / noise_n
        root = torch.linalg.cholesky(eye + weighted_M_n @ observed.whitened_M_n.T)
        means.append(torch.cholesky_solve((weighted_M_n @ values_n)[:, None], root)[:, 0])
        factors.append(torch.linalg.solve_triangular(root, eye, upper=False).T)
    return SparseValues(places_M_D, kernel, torch.stack(means), torch.stack(factors).contiguous())
