"""Posteriors trained here, and put back from their saved tensors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from torch import Tensor, nn

from acquisition.catalog import build, method, notice
from acquisition.checks import check_seed
from acquisition.errors import InvalidInput
from acquisition.tasks import Task, check_task
from acquisition.types import Fitter, ModuleFactory, Posterior, Progress


def fit(
    name: str,
    module_factory: ModuleFactory,
    data: tuple[Tensor, Tensor],
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Posterior:
    """Trains a posterior.

    Args:
        name: A posterior of ``catalog()``.
        module_factory: Makes a new network. It returns class scores (logits) [N, C]; one score per label
            [N, L]; or a mean and a log variance [N, 2], see ``heads``.
        data: Inputs, one item per row, and targets, which tell the task: classes as integers from 0 on [N];
            a table [N, L] of zeros and ones, for labels that do not exclude each other; or numbers in
            floating point [N], for regression.
        seed: Of the initial weights, the order of the data and the dropout; the global random state stays as
            it was.
        progress: Called with the epochs done and their number.
        **options: The posterior's own; those that train networks take ``epochs``, ``batch_size``,
            ``learning_rate``, ``weight_decay``, ``device``.

    Raises:
        UnknownMethod: There is no such posterior.
        InvalidOption: The posterior does not take an option, or not that value.
        InvalidInput: The data are of no task, or do not fit the model.
        NotFinite: NaN or infinity in the inputs, or a loss that became so.
        NotStochastic: The model has no dropout, or the ensemble one member.
    """
    fitter = cast(Fitter, build("posteriors", name, options))
    check_seed(seed)
    if isinstance(module_factory, nn.Module) or not callable(module_factory):
        raise InvalidInput(
            f"Expected a function that makes a new network, found {type(module_factory).__name__}: "
            "for example lambda: nn.Sequential(…)."
        )
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InvalidInput("Expected the data as a pair (inputs, targets).")
    inputs, targets = data
    if isinstance(inputs, Tensor):
        inputs = inputs.clone()  # a network may write into what it is given
    _notify(name)
    return fitter(module_factory, inputs, targets, seed=seed, progress=progress or _silent)


def restore(
    name: str, module_factory: ModuleFactory, state: Mapping[str, Tensor], task: Task = "classification"
) -> Posterior:
    """Puts the tensors of ``posterior.state()`` into new modules.

    Args:
        name: The posterior's name in ``catalog()``.
        module_factory: As for ``fit``.
        state: Saved tensors, for example read from a safetensors file.
        task: What the posterior was fitted for, its ``task``; it is not among the tensors, so give it
            where it is not "classification".

    Raises:
        UnknownMethod: There is no such posterior.
        InvalidInput: The tensors belong to another model.
    """
    found = method("posteriors", name)
    if not isinstance(state, Mapping):
        raise InvalidInput(f"Expected the tensors of posterior.state(), found {type(state).__name__}.")
    return cast(Posterior, found.restore(module_factory, state, task=check_task(task)))


@cache
def _notify(name: str) -> None:
    """Logs what to know about a posterior, once per process."""
    said = notice(name)
    if said is not None:
        logging.getLogger("acquisition").info("%s: %s", name, said)


def _silent(done: int, total: int) -> None:
    """Reports nothing."""
