"""The layers before the first dropout, which run once per item.

Batch normalization is multiplied into the convolution before it. Convolutions run with the channels innermost
in memory, which is faster on a CPU; code that may rely on the usual order (``view``) keeps it.
Images run in blocks whose intermediate results stay small, whatever the size of a chunk.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from acquisition.dropout.chains import ELEMENTWISE, INACTIVE, LINEAR, POOLING, hooked

KNOWN = (
    *ELEMENTWISE,
    *POOLING,
    *INACTIVE,
    nn.Conv2d,
    nn.BatchNorm2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    *LINEAR,
)
KNOWN_CALLS = (
    functional.relu,
    functional.max_pool2d,
    functional.avg_pool2d,
    functional.adaptive_avg_pool2d,
    functional.gelu,
    functional.silu,
    torch.relu,
    torch.flatten,
    torch.add,
    operator.add,
    operator.mul,
    "relu",
    "flatten",
    "mean",
    "add",
)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BLOCK = 2**22  # numbers of the largest intermediate result of a block: 16 MiB


def deterministic(first_half: nn.Module, *, any_order: bool = False) -> Callable[[Tensor], Tensor]:
    """Returns a chain, or a graph that is ``Packed``, as a function of the items in its fastest form.

    Args:
        first_half: What runs once per item.
        any_order: Whether what follows takes images with the channels innermost in memory.
    """
    module = core = first_half
    if isinstance(first_half, nn.Sequential):
        module = core = _folded_chain(copy.deepcopy(first_half))  # the model's own layers keep their order
    else:
        first_half.before = core = copy.deepcopy(first_half.get_submodule("before"))
        _fold_graph(core)  # type: ignore[arg-type]
    if not any(type(layer) is nn.Conv2d for layer in core.modules()):
        return module
    if not known(core):
        return Blocks(module, core)
    core.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks this form
    if any_order:
        return Blocks(lambda inputs: module(_channels_last(inputs)), core)
    return Blocks(lambda inputs: _usual_order(module(_channels_last(inputs))), core)


class Blocks:
    """Runs items in blocks of a size that fits the largest intermediate result."""

    def __init__(self, run: Callable[[Tensor], Tensor], module: nn.Module) -> None:
        self.run = run
        self.module = module
        self.rows: dict[torch.Size, int] = {}

    def __call__(self, inputs: Tensor) -> Tensor:
        """Computes the features."""
        rows = self.rows.get(inputs.shape[1:])
        if rows is None:
            return self._measured(inputs)
        if len(inputs) <= rows:
            return self.run(inputs)
        return torch.cat([self.run(block) for block in torch.split(inputs, rows)])

    def _measured(self, inputs: Tensor) -> Tensor:
        """Runs a few items first and looks how large their results are."""
        largest = [1]

        def note(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.dim():
                largest[0] = max(largest[0], output[:1].numel())

        hooks = [layer.register_forward_hook(note) for layer in self.module.modules()]
        try:
            first = self.run(inputs[:8])
        finally:
            for hook in hooks:
                hook.remove()
        self.rows[inputs.shape[1:]] = max(8, BLOCK // largest[0])
        return first if len(inputs) <= 8 else torch.cat([first, self(inputs[8:])])


def known(module: nn.Module) -> bool:
    """Whether a chain or graph is made of nothing but layers and functions that take any order in memory."""
    if isinstance(module, fx.GraphModule):
        return all(_known_node(module, node) for node in module.graph.nodes)
    return isinstance(module, nn.Sequential) and all(type(layer) in KNOWN for layer in module)


def _known_node(module: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        return type(layer) in KNOWN or (type(layer) is nn.Sequential and not len(layer))
    return bool(node.op in ("placeholder", "output") or node.target in KNOWN_CALLS)


def _folded_chain(chain: nn.Sequential) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in chain:
        if layers and _foldable(layers[-1], layer):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var, arg-type]
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _fold_graph(module: fx.GraphModule) -> None:
    for node in list(module.graph.nodes):
        source = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        first, second = (module.get_submodule(str(n.target)) for n in (source, node))
        if _foldable(first, second) and _called_once(module.graph, source):
            name = f"folded_{source.name}"
            module.add_module(name, fuse_conv_bn_eval(first, second))  # type: ignore[type-var, arg-type]
            source.target = name
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
    module.recompile()


def _called_once(graph: fx.Graph, node: fx.Node) -> bool:
    return sum(bool(n.op == node.op and n.target == node.target) for n in graph.nodes) == 1


def _foldable(first: nn.Module, second: nn.Module) -> bool:
    return bool(
        type(first) in CONVOLUTIONS
        and type(second) in NORMS
        and not first.training
        and not second.training
        and second.running_var is not None
        and not hooked(first)
        and not hooked(second)
    )


def _channels_last(inputs: Tensor) -> Tensor:
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def _usual_order(features: Tensor) -> Tensor:
    return features.contiguous()
