"""Snapshot ensemble: M networks from one training, each taken where a falling learning rate reached zero.

In each of M equal cycles the rate is η/2 (cos(π i/n) + 1) at step i of n, so that training settles, is kept,
and is thrown out again by the next start at η. A sample of the posterior is a snapshot.

Cost: training as long as one network (``epochs`` is the whole), scoring M passes per item. The snapshots are
more alike than the members of an ``ensemble``, so they disagree less. The first one starts from random
weights with as many steps as the others: give ``epochs`` enough for that.
Source: Huang et al. 2017, https://arxiv.org/abs/1704.00109.
"""

from __future__ import annotations

import copy
import math
from functools import partial

from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.errors import NotStochastic
from acquisition.posteriors.ensemble import Ensemble, ensemble, restore
from acquisition.randomness import derived_seed, forked
from acquisition.tasks import losses
from acquisition.training import Recipe, checked_data, made, outputs, refuse_loss
from acquisition.types import Fitter, ModuleFactory, Progress
from acquisition.weights.minibatches import minibatches

__all__ = ["build", "cyclic_rate", "restore"]


def build(
    *,
    snapshots: int = 5,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 4e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        snapshots: M, the number of cycles.
        epochs: Passes over the data of all cycles together; None takes twice what ``Recipe`` says.
        batch_size: Largest number of items per step.
        learning_rate: Of AdamW at the start of each cycle.
        weight_decay: Of AdamW.
        device: Where to train.
    """
    check_count("snapshots", snapshots)
    if snapshots < 2:
        raise NotStochastic("One snapshot has no disagreement to measure; use snapshots=2 or more.")
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, recipe=recipe, snapshots=snapshots)


def cyclic_rate(peak: float, step: int, n_steps: int) -> float:
    """Returns the rate at a step of a cycle: ``peak`` at step 0, 0 after the last."""
    return peak / 2 * (math.cos(math.pi * step / n_steps) + 1)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    snapshots: int,
) -> Ensemble:
    data = checked_data(inputs, targets, recipe.device)
    module = made(module_factory, seed).to(recipe.device).train()
    optimizer = recipe.optimizer(list(module.parameters()))
    n_epochs = recipe.epochs or 2 * recipe.n_epochs(len(data.inputs))
    n_steps = max(1, n_epochs * recipe.n_batches(len(data.inputs)) // snapshots)
    steps = minibatches(len(data.inputs), recipe, seed)
    kept: list[nn.Module] = []
    with forked(derived_seed(seed, 1)):
        for _ in range(snapshots):
            for step in range(n_steps):
                epoch, rows = next(steps)
                for group in optimizer.param_groups:
                    group["lr"] = cyclic_rate(recipe.learning_rate, step, n_steps)
                found = outputs(module, data.inputs[rows], data)
                loss = losses(data.task, found, data.targets[rows]).mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            refuse_loss(loss.detach(), epoch)
            kept.append(copy.deepcopy(module))
            progress(len(kept), snapshots)
    module.eval()
    return ensemble(kept, data.task)
