"""Dropout that no layer stands for: found and refused, because it would stay off in silence.

Recurrent layers and attention of a user's own kind keep their dropout to themselves, and a model's own code
may call the functional form. The first is read from the layers, the second is seen in one pass in training
mode of a throw-away copy.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from acquisition.dropout.attention import drops
from acquisition.errors import InvalidInput, NotStochastic
from acquisition.randomness import forked

WAYS_OUT = 'Write it as an nn.Dropout layer, set it to 0, or use an "ensemble".'
FUNCTIONAL = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
)
#: The same below ``functional``: (items, p, train).
BUILT_IN = (
    torch.dropout,
    torch.dropout_,
    torch.alpha_dropout,
    torch.alpha_dropout_,
    torch.feature_dropout,
    torch.feature_dropout_,
    torch.feature_alpha_dropout,
    torch.feature_alpha_dropout_,
    torch.native_dropout,
)


def refuse_hidden_layers(model: nn.Module) -> None:
    """Raises ``NotStochastic`` where a layer has dropout inside that can not be reached."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.MultiheadAttention | nn.RNNBase) and layer.dropout > 0 and not drops(layer):
            raise NotStochastic(
                f"{type(layer).__name__} {name!r} has dropout={layer.dropout} inside, which can not be "
                f'sampled. Set its attribute "dropout" to 0, or use an "ensemble".'
            )


def refuse_functional(model: nn.Module, items: Tensor) -> None:
    """Raises ``NotStochastic`` where the model's own code drops units while it trains."""
    witness = copy.deepcopy(model)
    with forked(0), torch.no_grad(), _Watch(), _training(witness):
        try:
            witness(items.clone())
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise InvalidInput(
                f"The model can not take items of shape {list(items.shape[1:])} in training mode, where its "
                f"dropout is looked for: {str(error).strip().splitlines()[0]}"
            ) from error


class _Watch(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        p = _active_p(func, args, given)
        if p > 0:
            raise NotStochastic(
                f"The model calls torch.nn.functional.{func.__name__} (p={p}), which can not be "
                f"sampled. {WAYS_OUT}"
            )
        return func(*args, **given)


def _active_p(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    if func in FUNCTIONAL:
        call = inspect.signature(func).bind(*args, **kwargs)
        call.apply_defaults()
        return float(call.arguments["p"]) if call.arguments["training"] else 0.0
    if func in BUILT_IN:
        p, training = (*args[1:3], kwargs.get("p", 0.0), kwargs.get("train", True))[:2]
        return float(p) if training else 0.0
    if func is functional.scaled_dot_product_attention:
        return float(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    return 0.0


@contextmanager
def _training(model: nn.Module) -> Iterator[None]:
    """Switches to training mode, except layers that need statistics of a batch."""
    model.train()
    for layer in model.modules():
        if isinstance(layer, _NormBase):
            layer.eval()
    yield
