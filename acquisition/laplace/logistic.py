"""Laplace's approximation of Bayesian logistic regression in the space of the n training items.

Formula: with the linear kernel K = ΦΦᵀ/τ of each output and the curvature W of the likelihood (diag(p)
− p pᵀ per item for classes, diag(p (1 − p)) for labels) the posterior covariance of the weights is, by
Woodbury, I/τ − Φᵀ (K + W⁻¹)⁻¹ Φ/τ², so no matrix is larger than n × n. Classes: (K + W⁻¹)⁻¹ = E − E R
(Rᵀ E R)⁻¹ Rᵀ E with E_c = D_c^½ (I + D_c^½ K D_c^½)⁻¹ D_c^½ (Rasmussen and Williams 2006, algorithm
3.3). Evidence: ln p(y | ŵ) − ½ τ |ŵ|² − ½ ln |I + K W|. The covariance is too wide where classes can be
told apart, so it is multiplied by a temperature ≤ 1 (a cold posterior), chosen by the predictive
density of four held-out folds. Cost: O(C·n³) for the evidence of one τ and for a draw, 8·C·n² bytes;
the best weights by L-BFGS, O(n·C·P) a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.randomness import generator
from acquisition.tasks import Task, losses

STEPS = 500
FOLDS = 4
N_SAMPLES = 64
TEMPERATURES = [10 ** (step / 4) for step in range(-8, 1)]


class Problem(NamedTuple):
    """Features with a one behind them, [n, P] in float64, and targets as ``losses`` takes them."""

    features_n_P: Tensor
    targets: Tensor
    task: Task
    n_outputs: int


def best_weights(problem: Problem, precision: float, start_C_P: Tensor) -> Tensor:
    """Finds the largest posterior density, [C, P]; the problem is convex."""
    weights_C_P = start_C_P.clone().requires_grad_(True)
    search = torch.optim.LBFGS(
        [weights_C_P],
        max_iter=STEPS,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        search.zero_grad()
        value = -log_joint(problem, precision, weights_C_P) / len(problem.targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    return weights_C_P.detach()


def log_joint(problem: Problem, precision: float, weights_C_P: Tensor) -> Tensor:
    """Computes ln p(y | w) − ½ τ |w|²."""
    outputs_n_C = problem.features_n_P @ weights_C_P.T
    fit = losses(problem.task, outputs_n_C, problem.targets).sum()
    return -fit - 0.5 * precision * weights_C_P.square().sum()


class Approximation:
    """The Gaussian around the best weights."""

    def __init__(self, features_n_P: Tensor, weights_C_P: Tensor, precision: float, task: Task) -> None:
        self.features_n_P, self.weights_C_P, self.precision = features_n_P, weights_C_P, precision
        outputs_n_C = features_n_P @ weights_C_P.T
        self.exclusive = task == "classification"
        self.probs_C_n = (outputs_n_C.softmax(-1) if self.exclusive else outputs_n_C.sigmoid()).T
        self.roots_C_n = (self.probs_C_n if self.exclusive else self.probs_C_n * (1 - self.probs_C_n)).sqrt()
        self.kernel_n_n = features_n_P @ features_n_P.T / precision
        self.factors_C_n_n = torch.stack([self._factor(root_n) for root_n in self.roots_C_n])
        self.sum_factor_n_n = self._sum_factor() if self.exclusive else None

    def _factor(self, root_n: Tensor) -> Tensor:
        scaled_n_n = root_n[:, None] * self.kernel_n_n * root_n
        found: Tensor = torch.linalg.cholesky(scaled_n_n + torch.diag(torch.ones_like(root_n)))
        return found

    def _sum_factor(self) -> Tensor:
        total = torch.zeros_like(self.kernel_n_n)
        for root_n, factor in zip(self.roots_C_n, self.factors_C_n_n, strict=True):
            half = torch.linalg.solve_triangular(factor, torch.diag(root_n), upper=False)
            total += half.T @ half
        found: Tensor = torch.linalg.cholesky(total)
        return found

    def log_determinant(self) -> float:
        """Computes ln |I + K W|."""
        total = 2 * self.factors_C_n_n.diagonal(dim1=1, dim2=2).log().sum()
        if self.sum_factor_n_n is not None:
            total += 2 * self.sum_factor_n_n.diagonal().log().sum()
        return float(total)

    def solve(self, values_C_n_T: Tensor) -> Tensor:
        """Multiplies by (K + W⁻¹)⁻¹."""
        solved = self._each(values_C_n_T)
        if self.sum_factor_n_n is None:
            return solved
        shared_n_T = torch.cholesky_solve(solved.sum(0), self.sum_factor_n_n)
        return solved - self._each(shared_n_T.expand_as(solved))

    def _each(self, values_C_n_T: Tensor) -> Tensor:
        roots = self.roots_C_n[..., None]
        return roots * torch.cholesky_solve(roots * values_C_n_T, self.factors_C_n_n)

    def deviations(self, prior_C_P_T: Tensor, normal_C_n_T: Tensor) -> Tensor:
        """Turns standard normal numbers into deviations of the weights [T, C, P], by Matheron's rule."""
        prior = prior_C_P_T / self.precision**0.5
        noise = self.roots_C_n[..., None] * normal_C_n_T
        if self.exclusive:
            noise = noise - self.probs_C_n[..., None] * noise.sum(0)
        told = self.solve(self.features_n_P @ prior - self.kernel_n_n @ noise) + noise
        deviations_C_P_T: Tensor = prior - self.features_n_P.T @ told / self.precision
        return deviations_C_P_T.permute(2, 0, 1)


def log_evidence(problem: Problem, precision: float, weights_C_P: Tensor) -> float:
    """Computes the Laplace approximation of ln p(y | τ) at the best weights."""
    found = Approximation(problem.features_n_P, weights_C_P, precision, problem.task)
    return float(log_joint(problem, precision, weights_C_P)) - 0.5 * found.log_determinant()


def held_out_temperature(problem: Problem, precision: float, weights_C_P: Tensor) -> float:
    """Returns the temperature of the grid with the least loss on four folds, each fitted without it."""
    n_items = len(problem.targets)
    order = torch.randperm(n_items, generator=generator(0)).to(problem.targets.device)
    totals = dict.fromkeys(TEMPERATURES, 0.0)
    for held_out in order.chunk(min(FOLDS, n_items)):
        kept = torch.ones(n_items, dtype=torch.bool, device=order.device).index_fill(0, held_out, value=False)
        for temperature, loss in _fold_losses(problem, precision, weights_C_P, kept).items():
            totals[temperature] += loss
    return min(totals, key=lambda temperature: totals[temperature])


def _fold_losses(problem: Problem, precision: float, start_C_P: Tensor, kept_n: Tensor) -> dict[float, float]:
    part = problem._replace(features_n_P=problem.features_n_P[kept_n], targets=problem.targets[kept_n])
    weights_C_P = best_weights(part, precision, start_C_P)
    found = Approximation(part.features_n_P, weights_C_P, precision, problem.task)
    seeded = generator(1)
    shapes = (weights_C_P.shape, (len(weights_C_P), len(part.targets)))
    normals = [torch.randn(*shape, N_SAMPLES, generator=seeded, dtype=torch.float64) for shape in shapes]
    deviations_T_C_P = found.deviations(*(normal.to(weights_C_P.device) for normal in normals))
    features_M_P, targets = problem.features_n_P[~kept_n], problem.targets[~kept_n]
    mean_M_C, spread_T_M_C = features_M_P @ weights_C_P.T, features_M_P @ deviations_T_C_P.transpose(1, 2)
    repeated = targets.expand(N_SAMPLES, *targets.shape)
    return {
        t: -float((-losses(problem.task, mean_M_C + t**0.5 * spread_T_M_C, repeated)).logsumexp(0).sum())
        for t in TEMPERATURES
    }
