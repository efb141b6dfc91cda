"""A model's copy with other layers in place of some; baal walks through the model and swaps them.

The walk is baal's, the layers are ours: baal's own masks differ inside a batch, and its layers with dropped
weights start from random ones.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable

from torch import nn

from acquisition.dropout.written import own_code
from acquisition.products import quicken

FUSED = (nn.MultiheadAttention, nn.TransformerEncoder, nn.TransformerEncoderLayer)
Swap = Callable[[nn.Module], nn.Module | None]


def frozen_copy(model: nn.Module, swap: Swap) -> nn.Module:
    """Copies a model in evaluation mode, each layer replaced that ``swap`` has another one for."""
    model = swapped(copy.deepcopy(model).eval(), swap)
    if not own_code(model):
        not_in_place(model.modules())
    for layer in model.modules():
        if type(layer) in FUSED and not (type(layer) is nn.MultiheadAttention and layer.dropout):
            layer.training = True  # only its own flag: the fused path of evaluation skips dropout layers
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    quicken(model)
    return model


def not_in_place(layers: Iterable[nn.Module]) -> None:
    """Has layers leave their input as it is: T passes share it.

    Only where each value has one reader: user's code may count on the change that an in-place layer makes.
    """
    for layer in layers:
        if isinstance(getattr(layer, "inplace", None), bool):
            layer.inplace = False  # type: ignore[assignment]


def swapped(model: nn.Module, swap: Swap) -> nn.Module:
    """Replaces layers in place, the model itself included, and returns it."""
    holder = nn.Sequential(model)
    _baal_walk()(holder, swap)
    _swap_aliases(holder, swap)
    return next(iter(holder))


def _swap_aliases(holder: nn.Module, swap: Swap) -> None:
    """Swaps the second names of a layer inside one parent, which baal's walk does not visit."""
    for parent in list(holder.modules()):
        for name, child in list(parent._modules.items()):
            other = None if child is None else swap(child)
            if child is not None and other is not None:
                setattr(parent, name, other.train(child.training))


def _baal_walk() -> Callable[[nn.Module, Swap], bool]:
    """Imports baal late, and keeps it from setting up logging for the whole process."""
    import structlog

    before = structlog.get_config() if structlog.is_configured() else None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # structlog.threadlocal, nothing a caller can act on
        from baal.bayesian.common import replace_layers_in_module
    structlog.reset_defaults() if before is None else structlog.configure(**before)
    walk: Callable[[nn.Module, Swap], bool] = replace_layers_in_module
    return walk
