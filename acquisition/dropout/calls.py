"""Calls in a user's code as layers: ``functional.relu`` as ``nn.ReLU``, some ``view`` as ``nn.Flatten``."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

ACTIVATIONS: dict[object, type[nn.Module]] = {
    functional.relu: nn.ReLU,
    torch.relu: nn.ReLU,
    "relu": nn.ReLU,
    functional.leaky_relu: nn.LeakyReLU,
    functional.tanh: nn.Tanh,
    torch.tanh: nn.Tanh,
    "tanh": nn.Tanh,
    functional.sigmoid: nn.Sigmoid,
    torch.sigmoid: nn.Sigmoid,
    "sigmoid": nn.Sigmoid,
    functional.gelu: nn.GELU,
    functional.silu: nn.SiLU,
    functional.elu: nn.ELU,
    functional.selu: nn.SELU,
}
WITH_OPTIONS: dict[object, type[nn.Module]] = {
    functional.max_pool2d: nn.MaxPool2d,
    torch.max_pool2d: nn.MaxPool2d,
    functional.avg_pool2d: nn.AvgPool2d,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    functional.log_softmax: nn.LogSoftmax,
    torch.log_softmax: nn.LogSoftmax,
    "log_softmax": nn.LogSoftmax,
    torch.flatten: nn.Flatten,
    "flatten": nn.Flatten,
}
RESHAPING = ("view", "reshape", torch.reshape)


class Call(nn.Module):
    """A function of one tensor as a layer."""

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, inputs: Tensor) -> Tensor:
        """Calls the function."""
        return self.run(inputs)


def is_shape(node: fx.Node) -> bool:
    """Whether a node is a number read from a tensor's shape, or the shape itself."""
    if node.op == "call_method" and node.target in ("size", "dim", "numel"):
        return True
    if node.op == "call_function" and node.target is getattr:
        return str(node.args[1]) in ("shape", "ndim")
    numbers = node.op == "call_function" and node.target in ARITHMETIC
    return numbers and all(is_shape(n) for n in node.all_input_nodes)


ARITHMETIC = (operator.getitem, operator.mul, operator.floordiv, operator.add, operator.sub)


def as_layer(model: nn.Module, node: fx.Node) -> nn.Module | None:
    """Returns the layer that a node with one input tensor stands for; None where there is none."""
    if not node.args or not isinstance(node.args[0], fx.Node):
        return None
    if node.op == "call_module":
        plain = len(node.args) == 1 and not node.kwargs
        return model.get_submodule(str(node.target)) if plain else None
    if node.target in RESHAPING:
        return nn.Flatten() if _flattens(node) else None
    if any(n is not node.args[0] for n in node.all_input_nodes) or not _once(node):
        return None
    return _known(node.target, node.args[1:], dict(node.kwargs)) or _any_call(node)


def _once(node: fx.Node) -> bool:
    """Whether the input tensor is the first argument and no other."""
    return sum(argument is node.args[0] for argument in (*node.args, *node.kwargs.values())) == 1


def _known(target: object, options: tuple[Any, ...], named: dict[str, Any]) -> nn.Module | None:
    kind = ACTIVATIONS.get(target) or WITH_OPTIONS.get(target)
    if kind is None:
        return None
    accepted = inspect.signature(kind.__init__).parameters
    named = {name: value for name, value in named.items() if name in accepted}
    if kind is nn.Flatten and not options:
        named = {"start_dim": 0} | named  # the function's default, not the layer's
    try:
        layer = kind(*options, **named)
    except TypeError:
        return None
    if hasattr(layer, "inplace"):
        layer.inplace = False  # type: ignore[assignment]  # the stub knows no such attribute
    return layer


def _flattens(node: fx.Node) -> bool:
    """Whether a view keeps the items and puts all else into one dimension; tried on items later."""
    sizes = node.args[1:] if node.target != torch.reshape else node.args[1]
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):  # type: ignore[arg-type, index]
        sizes = tuple(sizes[0])  # type: ignore[index]
    if not isinstance(sizes, tuple | list) or len(sizes) != 2:
        return False
    items, rest = sizes
    counts = is_shape(items) if isinstance(items, fx.Node) else str(items) == "-1"
    return counts and isinstance(rest, int)


def _any_call(node: fx.Node) -> Call | None:
    rest, named = node.args[1:], dict(node.kwargs)
    if node.op == "call_method":
        return Call(lambda inputs: getattr(inputs, str(node.target))(*rest, **named))
    if node.op == "call_function" and callable(node.target):
        function = node.target
        return Call(lambda inputs: function(inputs, *rest, **named))
    return None
