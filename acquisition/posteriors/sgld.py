"""SGLD: weights kept along a walk of noisy gradient steps, whose long-run law is the posterior.

Step of size h on U(w) = −ln p(data | w) − ln p(w): w ← w − (h/2) G ∇U + √(h · temperature · G) ξ, with the
gradient of a minibatch times N. G = 1 in plain SGLD; preconditioned, G = 1 / (λ + √v) with v the running
average of the squared mean gradient, as RMSprop has it (its derivative is left out, as in the paper). The
walk starts where ordinary training ended. A sample of the posterior is one of the kept weight sets.

Cost: burn_in + samples · thinning steps after the training; scoring T passes per item; memory ``samples``
copies of the weights. Dropout layers stay off. Tune ``walk_rate`` and ``temperature``: temperature=1 is
Bayes' rule up to the size of the step, which under-fits with few labels.
Sources: Welling and Teh 2011, https://icml.cc/2011/papers/398_icmlpaper.pdf; Li et al. 2016,
https://arxiv.org/abs/1512.07666.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.errors import InvalidOption, NotStochastic
from acquisition.randomness import derived_seed, forked
from acquisition.tasks import Task
from acquisition.training import Data, Recipe, checked_data, made, refuse_loss, train
from acquisition.types import Fitter, ModuleFactory, Progress
from acquisition.weights.flat_weights import (
    Flattened,
    Layout,
    restored_mean,
    with_weights,
    without_dropout,
)
from acquisition.weights.minibatches import minibatches, phase
from acquisition.weights.weight_samples import Kept, WeightPosterior

NOTICE = "needs tuning: temperature below 1 is a cold posterior, surer of the weights than Bayes' rule allows"
DECAY, FLOOR = 0.99, 1e-3  # α and λ; with the λ of the paper, 1e-5, weights without gradient run away
WALK = 2**21  # where the seeds of the walk begin, far from those of the training


class Walk(NamedTuple):
    """The options of the walk, see ``build``."""

    samples: int
    burn_in: int
    thinning: int
    rate: float
    temperature: float
    prior_precision: float
    preconditioned: bool


def build(
    *,
    samples: int = 50,
    burn_in: int = 200,
    thinning: int = 10,
    walk_rate: float | None = None,
    temperature: float = 0.1,
    prior_precision: float = 1.0,
    preconditioned: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        samples: How many weight sets are kept.
        burn_in: Steps before the first of them.
        thinning: Steps from one to the next.
        walk_rate: h N / 2, what the learning rate of the same step of an optimizer would be; None takes
            0.003 where preconditioned, else 0.01.
        temperature: Of the noise; below 1 a cold posterior.
        prior_precision: 1 / variance of the normal prior of every weight.
        preconditioned: Whether each weight has a step of its own.
        epochs: Of the training before the walk; see ``Recipe``, also for the other options.
        batch_size: Largest number of items per step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        device: Where to train.
    """
    for name, count in {"samples": samples, "thinning": thinning}.items():
        check_count(name, count)
    check_count("burn_in", burn_in, 0)
    if samples < 2:
        raise NotStochastic("One sample has no disagreement to measure; use samples=2 or more.")
    rate = (3e-3 if preconditioned else 1e-2) if walk_rate is None else walk_rate
    if not 0 < rate < math.inf:
        raise InvalidOption(f"walk_rate is {walk_rate!r}; a number above 0 is expected.")
    for name, value in {"temperature": temperature, "prior_precision": prior_precision}.items():
        if not 0 <= value < math.inf:
            raise InvalidOption(f"{name} is {value!r}; a number of at least 0 is expected.")
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    walk = Walk(samples, burn_in, thinning, rate, temperature, prior_precision, preconditioned)
    return partial(_fit, recipe=recipe, walk=walk)


def langevin_step(
    weights_P: Tensor,
    gradient_P: Tensor,
    noise_P: Tensor,
    step_size: float,
    temperature: float = 1.0,
    preconditioner_P: Tensor | float = 1.0,
) -> Tensor:
    """Computes w − (h/2) G ∇U + √(h · temperature · G) ξ."""
    drift_P = 0.5 * step_size * preconditioner_P * gradient_P
    spread_P = torch.as_tensor(step_size * temperature * preconditioner_P).sqrt()
    return weights_P - drift_P + spread_P * noise_P


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    walk: Walk,
) -> WeightPosterior:
    data = checked_data(inputs, targets, recipe.device)
    n_epochs = recipe.n_epochs(len(data.inputs))
    first = phase(progress, 0, n_epochs, walk.samples)
    module = train(made(module_factory, seed), inputs, targets, recipe=recipe, seed=seed, progress=first)
    with forked(derived_seed(seed, WALK)):
        kept = _walk(
            without_dropout(module), data, recipe, walk, seed, phase(progress, n_epochs, walk.samples)
        )
    mean = with_weights(module, kept.layout, kept.samples_K_P.mean(0))
    return WeightPosterior(mean, kept, data.task)


def _walk(module: nn.Module, data: Data, recipe: Recipe, walk: Walk, seed: int, progress: Progress) -> Kept:
    flattened, n_items = Flattened(module), len(data.inputs)
    square_P = torch.zeros_like(flattened.values)
    samples: list[Tensor] = []
    buffers: list[dict[str, Tensor]] = []
    last = walk.burn_in + walk.samples * walk.thinning
    steps = minibatches(n_items, recipe, seed, first_epoch=WALK)
    for number, (_, rows) in zip(range(1, last + 1), steps, strict=False):
        refuse_loss(flattened.gradient(data, rows), number)
        square_P.mul_(DECAY).addcmul_(flattened.gradients, flattened.gradients, value=1 - DECAY)
        root_P = (square_P / (1 - DECAY**number)).sqrt()
        flattened.values.copy_(
            langevin_step(
                flattened.values,
                n_items * flattened.gradients + walk.prior_precision * flattened.values,
                torch.randn_like(flattened.values),
                2 * walk.rate / n_items,
                walk.temperature,
                1 / (FLOOR + root_P) if walk.preconditioned else 1.0,
            )
        )
        if number > walk.burn_in and (number - walk.burn_in) % walk.thinning == 0:
            samples.append(flattened.values.clone())
            buffers.append({name: buffer.clone() for name, buffer in module.named_buffers()})
            progress(len(samples), walk.samples)
    stacked = {name: torch.stack([b[name] for b in buffers]) for name in buffers[0]}
    return Kept(flattened.layout, torch.stack(samples), stacked)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> WeightPosterior:
    """Puts a saved state into a new module."""
    module = restored_mean(module_factory, state)
    layout = Layout(module)
    parts = [(key.partition("."), tensor) for key, tensor in state.items()]
    buffers = {name: tensor for (what, _, name), tensor in parts if what == "buffers"}
    return WeightPosterior(module, Kept(layout, layout.read("samples", state, leading=1), buffers), task)
