"""Bayes by Backprop: every weight has a mean and a standard deviation, both learnt by the variational bound.

Loss per item, in nats: (1/B) Σ −ln p(y | x, w) + kl_weight · a · KL(q ‖ N(0, prior_std²)) / N with
q = Π N(μ_i, σ_i²), σ = ln(1 + e^ρ), and KL = Σ ln(s/σ) + (σ² + μ²) / (2 s²) − ½. The factor a rises from 0
to 1 over the first part of the epochs, ``annealing``. A sample of the posterior is a full set of weights.

Cost: a step is about three of an ordinary network; scoring T passes per item. Dropout layers stay off, batch
statistics are those of training. Tune ``kl_weight`` and ``prior_std``: kl_weight=1 is the bound itself, which
under-fits with few labels. Sources: Blundell et al. 2015, https://arxiv.org/abs/1505.05424; Kingma et al.
2015, https://arxiv.org/abs/1506.02557.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import derived_seed, forked
from acquisition.tasks import Task, losses
from acquisition.training import Data, Recipe, batches, checked_data, made, outputs, refuse_loss
from acquisition.types import Fitter, ModuleFactory, Progress
from acquisition.weights.flat_weights import without_dropout
from acquisition.weights.variational import Variational, gaussian_kl
from acquisition.weights.weight_samples import Gaussian, WeightPosterior, restored_gaussian

NOTICE = "needs tuning: kl_weight below 1 is a cold posterior, surer of the weights than Bayes' rule allows"


class Bound(NamedTuple):
    """The options of the loss, see ``build``."""

    prior_std: float
    kl_weight: float
    annealing: float
    initial_std: float
    local: bool

    def weight(self, epoch: int, n_epochs: int) -> float:
        """Returns the weight of the KL in an epoch, counted from 0."""
        rising = self.annealing * n_epochs
        return self.kl_weight * min(1.0, (epoch + 1) / rising if rising else 1.0)


def build(
    *,
    prior_std: float = 1.0,
    kl_weight: float = 0.03,
    annealing: float = 0.25,
    initial_std: float = 0.05,
    local_reparameterization: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 4e-3,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        prior_std: Of every weight.
        kl_weight: Times the KL; below 1 a cold posterior.
        annealing: Part of the epochs over which the KL comes in, 0 to 1.
        initial_std: Of every weight when training starts.
        local_reparameterization: Sample the outputs of Linear layers, not their weights: less noise in the
            gradient. Switch it off for a module that reads the weights of a layer without calling it.
        epochs: As in ``Recipe``, like the options that follow, but None takes twice as many.
        batch_size: Largest number of items per step.
        learning_rate: Of Adam.
        device: Where to train.
    """
    for name, value in {"prior_std": prior_std, "initial_std": initial_std}.items():
        if not 0 < value < math.inf:
            raise InvalidOption(f"{name} is {value!r}; a number above 0 is expected.")
    if not 0 <= kl_weight < math.inf:
        raise InvalidOption(f"kl_weight is {kl_weight!r}; a number of at least 0 is expected.")
    if not 0 <= annealing <= 1:
        raise InvalidOption(f"annealing is {annealing!r}; a number from 0 to 1 is expected.")
    bound = Bound(prior_std, kl_weight, annealing, initial_std, local_reparameterization)
    return partial(_fit, recipe=Recipe.of(epochs, batch_size, learning_rate, 0.0, device), bound=bound)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    bound: Bound,
) -> WeightPosterior:
    data = checked_data(inputs, targets, recipe.device)
    module = without_dropout(made(module_factory, seed).to(recipe.device))
    variational = Variational(module, bound.initial_std, local=bound.local)
    optimizer = recipe.optimizer(list(variational.parameters()))
    n_epochs = recipe.epochs or 2 * recipe.n_epochs(len(data.inputs))
    with forked(derived_seed(seed, 1)):
        for epoch in range(n_epochs):
            weight = bound.weight(epoch, n_epochs) / len(data.inputs)
            for rows in batches(len(data.inputs), recipe, seed, epoch):
                loss = _loss(variational, data, rows) + weight * gaussian_kl(
                    variational.mean_P, variational.std_P, bound.prior_std
                )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            refuse_loss(loss.detach(), epoch)
            progress(epoch + 1, n_epochs)
    return _posterior(variational, data.task)


def _loss(variational: Variational, data: Data, rows: Tensor) -> Tensor:
    found = outputs(variational, data.inputs[rows], data)
    return losses(data.task, found, data.targets[rows]).mean()


def _posterior(variational: Variational, task: Task) -> WeightPosterior:
    mean_P, std_P = variational.mean_P.detach(), variational.std_P.detach()
    return WeightPosterior(variational.release(), Gaussian(variational.layout, mean_P, std_P), task)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> WeightPosterior:
    """Puts a saved state into a new module."""
    return restored_gaussian(module_factory, state, task)
