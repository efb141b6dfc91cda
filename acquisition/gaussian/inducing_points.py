"""Training of a sparse Gaussian process by its evidence lower bound, in mini-batches, with gpytorch.

Formula: (1/N) Σ_n E_q[ln p(y_n | f(x_n))] − KL(q ‖ p) / N, the expectation of a number in closed form,
that of classes (softmax) and labels (sigmoid) by 8 samples; the features may come from a network that
is trained along. Source: Hensman et al. 2015, https://arxiv.org/abs/1411.2005. gpytorch holds kernel,
inducing points and q while they are trained; what is left needs it no more (``sparse_values``).
Cost: O(C·(M³ + B·M²)) per step of B items in float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.gaussian.kernel import Kernel
from acquisition.gaussian.sparse_values import JITTER, SparseValues
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import LOG_2PI, Task, losses
from acquisition.training import Recipe, batches, refuse_loss
from acquisition.types import Progress

N_SAMPLES = 8
INSTALL = 'This posterior needs gpytorch: pip install "active-labeling-workbench[gp]"'


def gpytorch() -> Any:
    """Imports the library.

    Raises:
        InvalidOption: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit, nothing a caller can act on
            return import_module("gpytorch")
    except ImportError as error:
        raise InvalidOption(INSTALL) from error


class Batch(NamedTuple):
    """Features in float64, and targets as ``losses`` takes them."""

    features_B_D: Tensor
    targets: Tensor


class Sparse(torch.nn.Module):
    """The functions while they are trained, from a distribution of their values on."""

    def __init__(self, start: SparseValues, noise: Tensor, task: Task) -> None:
        super().__init__()
        self.task = task
        self.process = _process(start)
        self.log_noise = torch.nn.Parameter(noise.log())

    def bound(self, batch: Batch, n_items: int, seeded: torch.Generator) -> Tensor:
        """Computes the evidence lower bound per item."""
        found = self.process(batch.features_B_D)
        fit = self._expected(found.mean, found.variance, batch.targets, seeded)
        divergence = self.process.variational_strategy.kl_divergence().sum()
        bound: Tensor = fit - divergence / n_items
        return bound

    def _expected(
        self, means_C_B: Tensor, variances_C_B: Tensor, targets: Tensor, seeded: torch.Generator
    ) -> Tensor:
        if self.task == "regression":
            squares = (targets - means_C_B[0]).square() + variances_C_B[0]
            return -0.5 * (self.log_noise + squares * torch.exp(-self.log_noise) + LOG_2PI).mean()
        noise = torch.randn(N_SAMPLES, *means_C_B.shape, generator=seeded, dtype=torch.float64)
        functions = means_C_B + variances_C_B.clamp_min(1e-12).sqrt() * noise.to(means_C_B.device)
        repeated = targets.expand(N_SAMPLES, *targets.shape)
        return -losses(self.task, functions.transpose(1, 2), repeated).mean()

    def values(self) -> SparseValues:
        """Returns the trained distribution of the functions' values."""
        strategy, kernel = self.process.variational_strategy, self.process.covar_module
        q = strategy._variational_distribution
        tensors = (
            strategy.inducing_points,
            kernel.base_kernel.lengthscale.flatten()[0],
            kernel.outputscale,
            q.variational_mean,
            q.chol_variational_covar.tril(),
        )
        places, lengthscale, variance, mean, factor = (t.detach().clone().contiguous() for t in tensors)
        return SparseValues(places, Kernel(lengthscale, variance), mean, factor)


def _process(start: SparseValues) -> Any:
    """Builds the gpytorch model; the library is imported late."""
    library, (n_functions, n_places) = gpytorch(), start.white_mean_C_M.shape
    size = torch.Size([n_functions])
    jitter = JITTER * float(start.kernel.variance)

    class Process(library.models.ApproximateGP):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            q = library.variational.CholeskyVariationalDistribution(n_places, batch_shape=size)
            strategy = library.variational.VariationalStrategy(
                self, start.places_M_D.clone(), q, learn_inducing_locations=True, jitter_val=jitter
            )
            super().__init__(strategy)
            self.mean_module = library.means.ZeroMean(batch_shape=size)
            self.covar_module = library.kernels.ScaleKernel(library.kernels.RBFKernel())

        def forward(self, items: Tensor) -> Any:
            return library.distributions.MultivariateNormal(self.mean_module(items), self.covar_module(items))

    process = Process().to(start.places_M_D)
    process.covar_module.base_kernel.lengthscale = start.kernel.lengthscale
    process.covar_module.outputscale = start.kernel.variance
    _begin_at(process.variational_strategy, start)
    return process


def _begin_at(strategy: Any, start: SparseValues) -> None:
    factor = start.white_factor_C_M_M
    strategy._variational_distribution.variational_mean.data.copy_(start.white_mean_C_M)
    lower = torch.linalg.cholesky(factor @ factor.transpose(1, 2))
    strategy._variational_distribution.chol_variational_covar.data.copy_(lower)
    strategy.variational_params_initialized.fill_(1)


class Plan(NamedTuple):
    """How to train; the learning rates belong to the groups of parameters."""

    recipe: Recipe
    n_epochs: int
    seed: int
    progress: Progress


def train_bound(
    sparse: Sparse,
    groups: list[dict[str, Any]],
    batch_of: Callable[[Tensor], Batch],
    n_items: int,
    plan: Plan,
) -> None:
    """Maximises the bound in place with Adam; ``batch_of`` gives the items of some rows."""
    optimizer = torch.optim.Adam(groups)
    seeded = generator(derived_seed(plan.seed, 5))
    for epoch in range(plan.n_epochs):
        rows_of = batches(n_items, plan.recipe, plan.seed, epoch)
        total = sum(_steps(sparse, optimizer, map(batch_of, rows_of), n_items, seeded))
        refuse_loss(torch.tensor(total), epoch)
        plan.progress(epoch + 1, plan.n_epochs)


def _steps(
    sparse: Sparse,
    optimizer: torch.optim.Optimizer,
    given: Iterator[Batch],
    n_items: int,
    seeded: torch.Generator,
) -> Iterator[float]:
    for batch in given:
        loss = -sparse.bound(batch, n_items, seeded)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield float(loss.detach())
