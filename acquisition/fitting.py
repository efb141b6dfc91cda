"""Posteriors trained here, and put back from their saved tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from acquisition.catalog import build, method
from acquisition.errors import InvalidInput
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
        module_factory: Makes a new classifier that returns class scores (logits) of shape [N, C].
        data: Inputs, one item per row, and their classes as integers from 0 on.
        seed: Of the initial weights, the order of the data and the dropout; the global random state stays as
            it was.
        progress: Called with the epochs done and their number.
        **options: ``epochs``, ``batch_size``, ``learning_rate``, ``weight_decay``, ``device``; an ensemble
            also takes ``members``.

    Raises:
        UnknownMethod: There is no such posterior.
        InvalidOption: The posterior does not take an option, or not that value.
        InvalidInput: The data are no classification data, or do not fit the model.
        NotFinite: NaN or infinity in the inputs, or a loss that became so.
        NotStochastic: The model has no dropout, or the ensemble one member.
    """
    fitter = cast(Fitter, build("posteriors", name, options))
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InvalidInput("Expected the data as a pair (inputs, targets).")
    inputs, targets = data
    return fitter(module_factory, inputs, targets, seed=seed, progress=progress or _silent)


def restore(name: str, module_factory: ModuleFactory, state: Mapping[str, Tensor]) -> Posterior:
    """Puts the tensors of ``posterior.state()`` into new modules.

    Args:
        name: The posterior's name in ``catalog()``.
        module_factory: As for ``fit``.
        state: Saved tensors, for example read from a safetensors file.

    Raises:
        UnknownMethod: There is no such posterior.
        InvalidInput: The tensors belong to another model.
    """
    return cast(Posterior, method("posteriors", name).restore(module_factory, state))


def _silent(done: int, total: int) -> None:
    """Reports nothing."""
