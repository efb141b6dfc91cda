"""Training of one network: its likelihood, AdamW, batches of nearly equal size, one result per seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.checks import EXPECTED, check_count, check_items, fits, refuse_probabilities, refuse_rows
from acquisition.devices import usable
from acquisition.errors import InvalidInput, InvalidOption, NotFinite
from acquisition.randomness import derived_seed, forked, generator
from acquisition.tasks import Task, losses, prepared, task_of
from acquisition.types import ModuleFactory, Progress

LEAST_STEPS = 300
LEAST_EPOCHS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: Passes over the data; None takes 60, or what 300 optimizer steps need where that is more.
        batch_size: Largest number of items per step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, decoupled from the gradient.
        device: Where to train; the posterior stays there.
    """

    epochs: int | None
    batch_size: int
    learning_rate: float
    weight_decay: float
    device: torch.device

    @classmethod
    def of(
        cls, epochs: int | None, batch_size: int, learning_rate: float, weight_decay: float, device: str
    ) -> Recipe:
        """Checks the options.

        Raises:
            InvalidOption: A value outside its range.
        """
        check_count("batch_size", batch_size)
        if epochs is not None:
            check_count("epochs", epochs)
        if not 0 < learning_rate < math.inf:
            raise InvalidOption(f"learning_rate is {learning_rate!r}; a number above 0 is expected.")
        if not 0 <= weight_decay < math.inf:
            raise InvalidOption(f"weight_decay is {weight_decay!r}; a number of at least 0 is expected.")
        return cls(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            device=usable(device),
        )

    def n_batches(self, n_items: int) -> int:
        """Returns the steps of one epoch."""
        return math.ceil(n_items / self.batch_size)

    def n_epochs(self, n_items: int) -> int:
        """Returns the passes over the data."""
        return self.epochs or max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / self.n_batches(n_items)))

    def optimizer(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """Builds the optimizer; the fused one does a step in one call."""
        return torch.optim.AdamW(
            parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=_fusable(parameters)
        )


class Data(NamedTuple):
    """Checked training data on the device of the training."""

    inputs: Tensor
    targets: Tensor
    task: Task


def train(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, recipe: Recipe, seed: int, progress: Progress
) -> nn.Module:
    """Trains a module in place and returns it in evaluation mode.

    Raises:
        InvalidInput: Data of no task, or a module whose outputs do not fit them.
        NotFinite: NaN or infinity in the inputs, or a loss that became so.
    """
    data = checked_data(inputs, targets, recipe.device)
    module.to(recipe.device).train()
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise InvalidInput("All parameters of the model are frozen; at least its last layer has to learn.")
    optimizer = recipe.optimizer(list(module.parameters()))
    n_epochs = recipe.n_epochs(len(data.inputs))
    with forked(derived_seed(seed, 1)), torch.inference_mode(False), torch.enable_grad():
        for epoch in range(n_epochs):
            loss = _epoch(module, optimizer, data, batches(len(data.inputs), recipe, seed, epoch))
            refuse_loss(loss, epoch)
            progress(epoch + 1, n_epochs)
    return module.eval()


def _epoch(
    module: nn.Module, optimizer: torch.optim.Optimizer, data: Data, rows_of: Iterator[Tensor]
) -> Tensor:
    total = torch.zeros((), device=data.inputs.device)
    for rows in rows_of:
        found = outputs(module, data.inputs[rows], data)
        loss = losses(data.task, found, data.targets[rows]).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
    return total


def outputs(module: nn.Module, inputs: Tensor, data: Data) -> Tensor:
    """Runs the module and checks that its outputs fit the targets of the data."""
    try:
        found = module(inputs)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InvalidInput(
            f"The model can not be trained on {len(inputs)} items of shape {list(inputs.shape[1:])} and type "
            f"{inputs.dtype}: {str(error).strip().splitlines()[0]}"
        ) from error
    check_outputs(found, len(inputs), data)
    return found  # type: ignore[no-any-return]


def check_outputs(found: Tensor, n_items: int, data: Data) -> None:
    """Refuses outputs that are not what the task needs for each item."""
    shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != n_items:
        raise InvalidInput(f"Expected outputs of shape [{n_items}, C] from the model, found {shape}.")
    if data.task == "regression" and not fits(data.task, found.shape[1]):
        raise InvalidInput(
            f"Targets in floating point mean regression: expected {EXPECTED[data.task].format(n=n_items)} "
            f"from the model, found {shape}. For classes give integer targets."
        )
    if data.task == "multilabel" and found.shape[1] != data.targets.shape[1]:
        raise InvalidInput(
            f"The targets have {data.targets.shape[1]} labels per item, the model {found.shape[1]} outputs."
        )
    if data.task == "classification":
        _check_classes(found, data.targets)


def _check_classes(logits_N_C: Tensor, targets: Tensor) -> None:
    largest = int(targets.max())
    if largest >= logits_N_C.shape[1]:
        raise InvalidInput(
            f"The targets go up to class {largest}, the model has only {logits_N_C.shape[1]} outputs "
            f"(classes 0 to {logits_N_C.shape[1] - 1})."
        )
    if logits_N_C.shape[1] < 2:
        raise InvalidInput("The model has one output; at least two class scores per item are expected.")
    refuse_probabilities(logits_N_C.detach())


def refuse_loss(loss: Tensor, epoch: int) -> None:
    """Raises ``NotFinite`` where training ran away."""
    if not bool(loss.isfinite()):
        raise NotFinite(
            f"The loss became {float(loss)} in epoch {epoch + 1}. Scale the inputs, or lower learning_rate."
        )


def batches(n_items: int, recipe: Recipe, seed: int, epoch: int) -> Iterator[Tensor]:
    """Yields the rows of each step in an order of the seed and epoch; no batch is a leftover of one."""
    order = torch.randperm(n_items, generator=generator(derived_seed(seed, 2 + epoch)))
    yield from order.to(recipe.device).tensor_split(recipe.n_batches(n_items))


def checked_data(inputs: Tensor, targets: Tensor, device: torch.device) -> Data:
    """Refuses what are no training data and moves the rest to the device."""
    for name, tensor in {"inputs": inputs, "targets": targets}.items():
        if not isinstance(tensor, Tensor):
            raise InvalidInput(f"Expected the {name} as a tensor, found {type(tensor).__name__}.")
    if inputs.dim() < 1 or targets.dim() not in (1, 2) or len(inputs) != len(targets):
        raise InvalidInput(
            f"Expected one target per item, found inputs {list(inputs.shape)} "
            f"and targets {list(targets.shape)}."
        )
    if len(inputs) == 0:
        raise InvalidInput("There are no items to train on.")
    task = task_of(targets)
    if task == "classification" and int(targets.min()) < 0:
        raise InvalidInput(f"Expected classes from 0 on, found target {int(targets.min())}.")
    if task == "regression":
        refuse_rows(~targets.isfinite(), "targets")
    check_items(inputs)
    return Data(inputs.to(device), prepared(task, targets, device), task)


def made(module_factory: ModuleFactory, seed: int, *, copied: bool = True) -> nn.Module:
    """Makes a module whose initial weights follow from the seed; the global random state stays as it was."""
    with forked(derived_seed(seed, 0)):
        module = module_factory()
        # The factory may hand out one that somebody keeps; a large base is not worth a copy.
        module = copy.deepcopy(module) if copied else module
    if not isinstance(module, nn.Module):
        raise InvalidInput(f"The module factory returned {type(module).__name__}, not a torch.nn.Module.")
    return module


def loaded(module_factory: ModuleFactory, state: Mapping[str, Tensor]) -> nn.Module:
    """Makes a module and puts saved tensors into it.

    Raises:
        InvalidInput: The saved tensors belong to another model.
    """
    module = made(module_factory, 0)
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        raise InvalidInput(f"The saved state does not fit the model of the factory: {error}") from error
    return module.eval()


def nth(progress: Progress, number: int, count: int) -> Progress:
    """Returns the progress of one of several trainings of equal length, as a part of the whole."""
    return lambda done, total: progress(number * total + done, count * total)


def beginning_at(progress: Progress, before: int, whole: int) -> Progress:
    """Returns the progress of a training that others went before, in epochs of the whole."""
    return lambda done, _: progress(before + done, whole)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Copies the parameters and buffers of a module, each with memory of its own."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}


def _fusable(parameters: list[Tensor]) -> bool:
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
