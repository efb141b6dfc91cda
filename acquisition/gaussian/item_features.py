"""What posteriors without a network share: the items are the features, standardised; a dict is the state.

The module of the factory is not trained and not run. Its last Linear layer tells the number of outputs;
without one the targets do. A first layer that is Linear has to take the items' features.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from acquisition.devices import usable
from acquisition.dropout.chains import flat
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.tasks import Task
from acquisition.training import Data, check_outputs, checked_data, made
from acquisition.types import ModuleFactory

SCALINGS = ("each", "common")


class Labeled(NamedTuple):
    """Checked training items.

    Attributes:
        features_N_D: The flat items in float64.
        targets: As ``Data.targets``.
        task: What the targets are of.
        n_outputs: Number of classes or labels; 2 for regression.
    """

    features_N_D: Tensor
    targets: Tensor
    task: Task
    n_outputs: int

    def centre(self) -> tuple[Tensor, Tensor]:
        """Computes mean and deviation of targets that are numbers; 1 where all are equal."""
        numbers_n = self.targets.double()
        spread = numbers_n.std(correction=0)
        return numbers_n.mean(), torch.where(spread > 0, spread, torch.ones_like(spread))


def check_positive(name: str, value: object) -> None:
    """Refuses what is not a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidOption(f"{name} is {value!r}; a number above 0 is expected.")


def check_scaling(scaling: str | None) -> None:
    """Refuses what is no way to standardise."""
    if scaling is not None and scaling not in SCALINGS:
        raise InvalidOption(f"scaling is {scaling!r}; None or one of {', '.join(SCALINGS)} is expected.")


def scalings(scaling: str | None) -> tuple[str, ...]:
    """Lists the ways to try: all of them where none is asked for."""
    return SCALINGS if scaling is None else (scaling,)


def labeled(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    device: torch.device,
    tasks: Iterable[Task],
) -> Labeled:
    """Checks training data for a method that needs no network.

    Raises:
        InvalidInput: Data of no task or of one that the method is not for, or that do not fit the model.
    """
    data = checked_data(inputs, targets, device)
    if data.task not in tasks:
        raise InvalidInput(
            f"These targets mean {data.task}; this method is for {' and '.join(tasks)}. "
            'Use "mc_dropout" or "ensemble".'
        )
    module = made(module_factory, 0).eval()
    n_outputs = _outputs_for(module, data)
    check_outputs(data.inputs.new_zeros(len(data.inputs), n_outputs, dtype=torch.float32), len(inputs), data)
    if data.inputs.dim() < 2:
        raise InvalidInput(f"Expected one row of features per item, found inputs {list(inputs.shape)}.")
    _check_width(module, inputs.shape[-1], 1)
    return Labeled(data.inputs.flatten(1).double(), data.targets, data.task, n_outputs)


def outputs_of(module: nn.Module) -> int | None:
    """Returns the outputs of the last Linear layer; None where there is none."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return linear[-1].out_features if linear else None


def _outputs_for(module: nn.Module, data: Data) -> int:
    if data.task == "regression":
        if (outputs_of(module) or 2) > 2:
            raise InvalidInput(
                "Targets in floating point mean regression, and the model of the factory has "
                f"{outputs_of(module)} outputs. For classes give integer targets."
            )
        return 2
    if data.task == "multilabel":
        return outputs_of(module) or data.targets.shape[1]
    return outputs_of(module) or max(2, int(data.targets.max()) + 1)


def _check_width(module: nn.Module, width: int, n_rows: int) -> None:
    """Compares the features of an item, which has ``n_rows`` rows of them, with the first layer."""
    first = flat(module)[0]
    if isinstance(first, nn.Linear) and width != first.in_features * n_rows:
        raise InvalidInput(
            f"The items have {width} features, which does not fit the model of the factory: its first layer "
            f"takes {first.in_features}."
        )


def scale_of(features_N_D: Tensor, *, common: bool = False) -> dict[str, Tensor]:
    """Computes what standardises: the deviation of each feature, or one common number for all."""
    spread_D = features_N_D.std(0, correction=0)
    if common:
        spread_D = spread_D.square().mean().sqrt().expand_as(spread_D)
    return {
        "feature_mean": features_N_D.mean(0),
        "feature_scale": torch.where(spread_D > 0, spread_D, torch.ones_like(spread_D)),
    }


def standardised(features_N_D: Tensor, scale: Mapping[str, Tensor]) -> Tensor:
    """Shifts and scales, and refuses another number of features."""
    if features_N_D.shape[1] != len(scale["feature_mean"]):
        raise InvalidInput(
            f"Expected items of {len(scale['feature_mean'])} features, found {features_N_D.shape[1]}."
        )
    return (features_N_D - scale["feature_mean"]) / scale["feature_scale"]


class ItemFeatures:
    """A posterior over functions of the items' features; all that it knows is a dict of tensors.

    Subclasses name the tensors they need, count the outputs, draw and run forward.
    """

    max_samples: int | None = None

    def __init__(self, tensors: Mapping[str, Tensor], task: Task) -> None:
        self.tensors = dict(tensors)
        self.task = task

    @classmethod
    def restored(cls, module_factory: ModuleFactory, state: Mapping[str, Tensor], task: Task) -> Self:
        """Takes a saved state.

        Raises:
            InvalidInput: Tensors are missing, or do not fit the factory's model.
        """
        expected = cls.names(task) | {"feature_mean", "feature_scale"}
        if expected != state.keys():
            raise InvalidInput(
                f"The saved state is of another posterior: found {', '.join(sorted(state))}; "
                f"expected {', '.join(sorted(expected))}."
            )
        found, module = cls(state, task), made(module_factory, 0)
        n_outputs = outputs_of(module)
        if task != "regression" and n_outputs is not None and n_outputs != found.n_outputs:
            raise InvalidInput(
                f"The saved state has {found.n_outputs} outputs, which does not fit the model of the factory "
                f"with {n_outputs}."
            )
        width = len(state["feature_mean"])
        first = flat(module)[0]
        _check_width(module, width, width // first.in_features if isinstance(first, nn.Linear) else 1)
        return found

    @classmethod
    def names(cls, task: Task) -> frozenset[str]:
        """Names the tensors of the state, those of the scale left out."""
        raise NotImplementedError

    @property
    def n_outputs(self) -> int:
        """Counts the outputs."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.tensors["feature_mean"].device

    def features(self, inputs: Tensor) -> Tensor:
        """Standardises the items, in float64."""
        return standardised(inputs.flatten(1).double(), self.tensors)

    def embed(self, inputs: Tensor) -> Tensor:
        """Returns features_N_D, the standardised items."""
        return self.features(inputs)

    def to(self, device: torch.device | str) -> Self:
        """Returns this posterior on a device; itself where it is there already."""
        target = usable(device)
        if target == self.device:
            return self
        return type(self)({name: tensor.to(target) for name, tensor in self.tensors.items()}, self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns all tensors."""
        return {name: tensor.detach().clone().contiguous() for name, tensor in self.tensors.items()}
