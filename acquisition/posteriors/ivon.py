"""IVON: a normal distribution for each weight, learnt by a natural-gradient method at the price of Adam.

Algorithm 1 of the paper, with g the gradient of the mean loss at w = m + σ ε, σ = 1 / √(λ (h + δ)):
ĥ = g (w − m) / σ², ḡ ← β₁ ḡ + (1 − β₁) g, h ← β₂ h + (1 − β₂) ĥ + ½ (1 − β₂)² (h − ĥ)² / (h + δ),
m ← m − α (ḡ / (1 − β₁ᵗ) + δ m) / (h + δ). λ is the effective sample size and δ the weight decay, so λ δ is
the precision of the prior. A sample of the posterior is a full set of weights.

Cost: a step is one of Adam; scoring T passes per item. Dropout layers stay off. λ = N is Bayes' rule, and
with few labels it drowns the network in noise; the default is colder. Tune ``ess`` and ``hess_init``. No
weight changes by more than ``clip`` · α in a step.
Source: Shen et al. 2024, https://arxiv.org/abs/2402.17641.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import derived_seed, forked
from acquisition.tasks import Task
from acquisition.training import Recipe, batches, checked_data, made, refuse_loss
from acquisition.types import Fitter, ModuleFactory, Progress
from acquisition.weights.flat_weights import Flattened, with_weights, without_dropout
from acquisition.weights.weight_samples import Gaussian, WeightPosterior, restored_gaussian

NOTICE = "needs tuning: ess above the number of labels is a cold posterior, surer than Bayes' rule allows"
LEAST_ESS = 3000.0
ESS_PER_ITEM = 10.0


class Ivon(NamedTuple):
    """The state of the method; all tensors have the length P of the weights.

    Attributes:
        mean_P: m.
        hessian_P: h.
        momentum_P: ḡ.
        step: t.
    """

    mean_P: Tensor
    hessian_P: Tensor
    momentum_P: Tensor
    step: int

    @classmethod
    def start(cls, mean_P: Tensor, hess_init: float) -> Ivon:
        """Returns the state before the first step."""
        return cls(mean_P, torch.full_like(mean_P, hess_init), torch.zeros_like(mean_P), 0)

    def std_P(self, ess: float, decay: float) -> Tensor:
        """Computes σ = 1 / √(λ (h + δ))."""
        return torch.rsqrt(ess * (self.hessian_P + decay))


class Rates(NamedTuple):
    """The constants of a step: α, β₁, β₂, λ, δ and the largest change of a weight in one step, over α."""

    learning_rate: float
    beta1: float
    beta2: float
    ess: float
    decay: float
    clip: float


def ivon_step(state: Ivon, gradient_P: Tensor, offset_P: Tensor, rates: Rates) -> Ivon:
    """Does one step of the algorithm.

    Args:
        state: Before the step.
        gradient_P: Of the mean loss at mean + offset.
        offset_P: σ ε.
        rates: The constants.
    """
    beta1, beta2, decay = rates.beta1, rates.beta2, rates.decay
    old_P = state.hessian_P
    found_P = gradient_P * offset_P * (rates.ess * (old_P + decay))
    correction_P = 0.5 * (1 - beta2) ** 2 * (old_P - found_P) ** 2 / (old_P + decay)
    hessian_P = beta2 * old_P + (1 - beta2) * found_P + correction_P
    momentum_P = beta1 * state.momentum_P + (1 - beta1) * gradient_P
    step = state.step + 1
    towards_P = momentum_P / (1 - beta1**step) + decay * state.mean_P
    change_P = (towards_P / (hessian_P + decay)).clamp(-rates.clip, rates.clip)
    return Ivon(state.mean_P - rates.learning_rate * change_P, hessian_P, momentum_P, step)


def build(
    *,
    ess: float | None = None,
    hess_init: float = 0.1,
    prior_precision: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    clip: float = 1.0,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 0.1,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        ess: λ, the effective sample size; None takes ten times the number of labels and at least 3,000: a
            cold posterior, colder the fewer labels there are.
        hess_init: h before the first step; larger starts with less noise.
        prior_precision: λ δ, 1 / variance of the normal prior of every weight.
        beta1: Of the momentum.
        beta2: Of the running curvature.
        clip: Largest change of a weight in one step, in units of the learning rate; ``math.inf`` for none.
        epochs: Passes over the data; see ``Recipe``, also for the other options.
        batch_size: Largest number of items per step.
        learning_rate: α; falls to 0 along a quarter wave.
        device: Where to train.
    """
    given = {"hess_init": hess_init, "prior_precision": prior_precision, "ess": 1.0 if ess is None else ess}
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise InvalidOption(f"{name} is {value!r}; a number above 0 is expected.")
    for name, value in {"beta1": beta1, "beta2": beta2}.items():
        if not 0 <= value < 1:
            raise InvalidOption(f"{name} is {value!r}; a number from 0 to below 1 is expected.")
    if not clip > 0:
        raise InvalidOption(f"clip is {clip!r}; a number above 0 is expected.")
    recipe = Recipe.of(epochs, batch_size, learning_rate, 0.0, device)
    rates = Rates(learning_rate, beta1, beta2, ess or 0.0, prior_precision, clip)
    return partial(_fit, recipe=recipe, rates=rates, hess_init=hess_init)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    rates: Rates,
    hess_init: float,
) -> WeightPosterior:
    data = checked_data(inputs, targets, recipe.device)
    module = without_dropout(made(module_factory, seed).to(recipe.device))
    flattened = Flattened(module)
    ess = rates.ess or max(LEAST_ESS, ESS_PER_ITEM * len(data.inputs))
    rates = rates._replace(ess=ess, decay=rates.decay / ess)
    state = Ivon.start(flattened.values.clone(), hess_init)
    n_epochs = recipe.n_epochs(len(data.inputs))
    with forked(derived_seed(seed, 1)):
        for epoch in range(n_epochs):
            now = rates._replace(learning_rate=recipe.learning_rate * _falling(epoch, n_epochs))
            for rows in batches(len(data.inputs), recipe, seed, epoch):
                offset_P = state.std_P(ess, rates.decay) * torch.randn_like(state.mean_P)
                torch.add(state.mean_P, offset_P, out=flattened.values)
                loss = flattened.gradient(data, rows)
                state = ivon_step(state, flattened.gradients, offset_P, now)
            refuse_loss(loss, epoch)
            progress(epoch + 1, n_epochs)
    sampler = Gaussian(flattened.layout, state.mean_P, state.std_P(ess, rates.decay))
    return WeightPosterior(with_weights(module, sampler.layout, sampler.mean_P), sampler, data.task)


def _falling(epoch: int, n_epochs: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * epoch / n_epochs))


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> WeightPosterior:
    """Puts a saved state into a new module."""
    return restored_gaussian(module_factory, state, task)
