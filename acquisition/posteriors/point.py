"""Point: one trained network as it is, for functions that look at a single prediction.

Formula: p(y|x) = p(y | x, ŵ); the weights ŵ have no spread, so T = 1 and mutual information is zero:
``rank_pool`` refuses functions that measure disagreement. Shapes: logits_T_N_C with T = 1. Cost: one
training, one pass per item. When: as a baseline, with entropy, margin or least confidence, and where
seconds count.
What to tune: the network itself; a calibrator repairs its confidence.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.dropout.chains import flat
from acquisition.errors import InvalidInput
from acquisition.last_layer import last_input
from acquisition.tasks import Task, check_task, task_of
from acquisition.training import Recipe, loaded, made, tensors_of, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = (
    "Has no spread: only functions of a single prediction (entropy, margin, least confidence) can use it."
)


def point(model: nn.Module, task: Task = "classification") -> Point:
    """Makes a posterior of one trained network, used as it is.

    Args:
        model: Returns class scores (logits) of shape [N, C]. It is copied; dropout in it stays off.
        task: What the outputs mean, where they are not class scores.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"Expected a torch.nn.Module, found {type(model).__name__}.")
    frozen = copy.deepcopy(model).eval()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return Point(frozen, check_task(task))


def build(
    *,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; for the options see ``Recipe``."""
    return partial(_fit, recipe=Recipe.of(epochs, batch_size, learning_rate, weight_decay, device))


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
) -> Point:
    module = made(module_factory, seed)
    trained = train(module, inputs, targets, recipe=recipe, seed=seed, progress=progress)
    return point(trained, task_of(targets))


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> Point:
    """Puts a saved state into a new module."""
    return point(loaded(module_factory, state), task)


class Point:
    """A posterior of one network; made by ``point``."""

    max_samples: int | None = 1

    def __init__(self, model: nn.Module, task: Task = "classification") -> None:
        self._model = model
        self.task = task
        last = flat(model)[-1]
        self.n_outputs = last.out_features if isinstance(last, nn.Linear) else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        first = next(self._model.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def features(self, inputs: Tensor) -> Tensor:
        """Runs the whole network, once per item."""
        with torch.inference_mode():
            outputs_N_C: Tensor = self._model(inputs)
        return outputs_N_C

    def draw(self, n_samples: int, *, seed: int) -> Draw:  # noqa: ARG002 - the protocol's; nothing is random
        """Draws the one network, whatever is asked for."""
        check_count("n_samples", n_samples)
        return Draw(state={"network": torch.zeros(1, dtype=torch.long)})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Returns logits_T_N_C with T = 1."""
        if features.dim() == 2:
            self.n_outputs = features.shape[-1]
        return features[None].expand(len(draw), *features.shape)

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D, the input of the last layer."""
        return last_input(self._model, inputs)

    def to(self, device: torch.device | str) -> Point:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        return Point(copy.deepcopy(self._model).to(device), self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the parameters and buffers of the model under their own names."""
        return tensors_of(self._model)
