"""The squared exponential kernel of a Gaussian process, and how its scales are found.

Formula: k(a, b) = s² exp(−|a − b|² / 2ℓ²). The lengthscale ℓ starts at the median distance of two
items, s² at the mean square of the values; both then maximise the marginal likelihood Σ_c ln N(y_c; 0,
K + Σ_c) by L-BFGS, within a factor of e³ of the start. Noise that is not given is one number, found the
same way. Leave-one-out predictions are closed form (Rasmussen and Williams 2006, section 5.4.2).
Cost: O(C·n³) per step in float64, n at most 512 items, evenly spaced in the order given.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

MOST_ITEMS = 512
REACH = 3.0
LEAST_NOISE = 1e-4


class Kernel(NamedTuple):
    """The kernel with its two scales."""

    lengthscale: Tensor
    variance: Tensor

    def __call__(self, first_N_D: Tensor, second_M_D: Tensor) -> Tensor:
        """Computes [N, M]."""
        return self.of_squares(torch.cdist(first_N_D, second_M_D).square())

    def of_squares(self, squares: Tensor) -> Tensor:
        """Computes the kernel of squared distances."""
        return self.variance * (-0.5 * squares / self.lengthscale.square()).exp()


class FoundKernel(NamedTuple):
    """A kernel, the noise variance of every value, and ln p(y) of what it was found on."""

    kernel: Kernel
    noise_C_n: Tensor
    log_evidence: float


class Marginals(NamedTuple):
    """Mean and variance of each function at each item, given other items."""

    means_C_n: Tensor
    variances_C_n: Tensor


def median_distance(items_n_D: Tensor) -> Tensor:
    """Computes the median distance of different items; √(2D) where there are none."""
    distances = torch.pdist(items_n_D[evenly(len(items_n_D))])
    distances = distances[distances > 0]
    typical = math.sqrt(2 * items_n_D.shape[1])
    return distances.median() if len(distances) else items_n_D.new_tensor(typical)


def evenly(n_items: int) -> Tensor:
    """Returns at most 512 rows, evenly spaced."""
    return torch.linspace(0, n_items - 1, min(n_items, MOST_ITEMS)).round().long()


def found_kernel(items_n_D: Tensor, values_C_n: Tensor, noise_C_n: Tensor | None, steps: int) -> FoundKernel:
    """Finds the scales, and the noise where it is None."""
    rows = evenly(len(items_n_D))
    search = _Search(items_n_D[rows], values_C_n[:, rows], None if noise_C_n is None else noise_C_n[:, rows])
    search.run(steps)
    kernel, noise = search.current()
    noise = torch.full_like(values_C_n, float(noise)) if noise_C_n is None else noise_C_n
    return FoundKernel(kernel, noise, float(search.log_evidence()))


class _Search:
    """The marginal likelihood as a function of three bounded numbers."""

    def __init__(self, items_n_D: Tensor, values_C_n: Tensor, noise_C_n: Tensor | None) -> None:
        self.squares = torch.cdist(items_n_D, items_n_D).square()
        self.values_C_n, self.noise_C_n = values_C_n, noise_C_n
        spread = values_C_n.square().mean().clamp_min(1e-6)
        self.start = (median_distance(items_n_D), spread, 0.1 * spread)
        self.position = torch.zeros(3, dtype=torch.float64, device=items_n_D.device)

    def current(self) -> tuple[Kernel, Tensor]:
        lengthscale, variance, noise = (
            start * torch.exp(REACH * torch.tanh(p / REACH))
            for start, p in zip(self.start, self.position, strict=True)
        )
        return Kernel(lengthscale, variance), noise.clamp_min(LEAST_NOISE)

    def log_evidence(self) -> Tensor:
        kernel, noise = self.current()
        noise_C_n = noise.expand_as(self.values_C_n) if self.noise_C_n is None else self.noise_C_n
        factors = torch.linalg.cholesky(kernel.of_squares(self.squares) + torch.diag_embed(noise_C_n))
        whitened = torch.linalg.solve_triangular(factors, self.values_C_n[..., None], upper=False)
        log_determinants = factors.diagonal(dim1=1, dim2=2).log().sum()
        constant = 0.5 * self.values_C_n.numel() * math.log(2 * math.pi)
        evidence: Tensor = -0.5 * whitened.square().sum() - log_determinants - constant
        return evidence

    def run(self, steps: int) -> None:
        if steps == 0:
            return
        self.position.requires_grad_(True)
        search = torch.optim.LBFGS([self.position], max_iter=steps, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            value = -self.log_evidence() / self.values_C_n.numel()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        with torch.enable_grad():
            search.step(loss)  # type: ignore[no-untyped-call]
        self.position = self.position.detach()


def factor(kernel: Kernel, items_n_D: Tensor, noise_n: Tensor) -> Tensor:
    """Computes the Cholesky factor of K + Σ for one class."""
    found: Tensor = torch.linalg.cholesky(kernel(items_n_D, items_n_D) + torch.diag(noise_n))
    return found


def leave_one_out(found: FoundKernel, items_n_D: Tensor, values_C_n: Tensor) -> Marginals:
    """Computes y_i − [K⁻¹y]_i / [K⁻¹]_ii and 1 / [K⁻¹]_ii − σ²_i, where K has the noise in it."""
    means, variances = [], []
    for values_n, noise_n in zip(values_C_n, found.noise_C_n, strict=True):
        inverse = torch.cholesky_inverse(factor(found.kernel, items_n_D, noise_n))
        own_n = inverse.diagonal()
        means.append(values_n - inverse @ values_n / own_n)
        variances.append((1 / own_n - noise_n).clamp_min(0))
    return Marginals(torch.stack(means), torch.stack(variances))
