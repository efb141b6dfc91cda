"""A user's own module read as a graph, so that what comes before its first dropout runs once.

``torch.fx`` follows the module's code without running it. A graph that is one line becomes a list of layers,
with functions like ``relu`` and ``flatten`` as layers, and takes the same fast paths as ``nn.Sequential``.
Any other graph is split in two: what no dropout can reach, and the rest. Code that can not be followed
(branches on values, loops over items) is not split. Whether the reading is right is tried on items before it
is used.
"""

from __future__ import annotations

import copy
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from acquisition.dropout.calls import as_layer, is_shape
from acquisition.dropout.chains import hooked
from acquisition.dropout.layers import MaskedDropout
from acquisition.randomness import forked


class Halves(NamedTuple):
    """A module in two parts.

    Attributes:
        before: What no dropout reaches; it returns a tensor, or several.
        after: The rest, a function of those.
    """

    before: nn.Module
    after: nn.Module


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        if type(m) is nn.Sequential:
            return hooked(m)
        return hooked(m) or type(m).__module__.startswith(("torch.nn.", "acquisition."))


def graph_of(model: nn.Module) -> fx.Graph | None:
    """Follows the code of a module; None where that is not possible."""
    try:
        with warnings.catch_warnings(), forked(0):
            warnings.simplefilter("ignore")
            graph = _Tracer().trace(copy.deepcopy(model))  # tracing may leave marks in caches
    except Exception:  # noqa: BLE001 - a user's code may fail in any way on values that are not there
        return None
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    return graph if len(inputs) == 1 and not _writes(graph) else None


def _writes(graph: fx.Graph) -> bool:
    """Whether some value is changed in place, so that order matters where the graph has none."""
    names = [str(getattr(node.target, "__name__", node.target)) for node in graph.nodes]
    return any((name.endswith("_") and not name.endswith("__")) or name in WRITING for name in names)


WRITING = frozenset(
    {"setitem", "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"}
)


def line_of(model: nn.Module, graph: fx.Graph) -> list[nn.Module] | None:
    """Reads a graph as a list of layers; None where it is no line."""
    layers: list[nn.Module] = []
    nodes = [node for node in graph.nodes if not is_shape(node)]
    for previous, node in pairwise(nodes):
        if [n for n in node.all_input_nodes if not is_shape(n)] != [previous]:
            return None
        if node.op == "output":
            return layers if node.args[0] is previous else None
        layer = as_layer(model, node)
        if layer is None:
            return None
        layers.append(layer)
    return None


def halves_of(model: nn.Module, graph: fx.Graph) -> Halves | None:
    """Cuts a graph where its first dropouts begin; None where nothing would be won."""
    reached = _reached(model, graph)
    between = [node for node in graph.nodes if _crosses(node, reached)]
    if not between or any(is_shape(node) for node in between):
        return None
    if [node.op for node in between] == ["placeholder"]:
        return None
    before, after = fx.Graph(), fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node.op != "output" and node not in reached:
            values[node] = before.node_copy(node, lambda n: values[n])
    before.output(tuple(values[node] for node in between))
    later = {node: after.placeholder(node.name) for node in between}
    for node in graph.nodes:
        if node in reached or node.op == "get_attr":
            later[node] = after.node_copy(node, lambda n: later[n])
    for node in (*before.nodes, *after.nodes):
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}  # what T passes share must not change
    return Halves(fx.GraphModule(model, before), fx.GraphModule(model, after))


def _reached(model: nn.Module, graph: fx.Graph) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in graph.nodes:
        own = node.op == "output" or (node.op == "call_module" and _has_dropout(model, str(node.target)))
        if own or any(n in found for n in node.all_input_nodes):
            found.add(node)
    return found


def _has_dropout(model: nn.Module, name: str) -> bool:
    return any(isinstance(layer, MaskedDropout) for layer in model.get_submodule(name).modules())


def _crosses(node: fx.Node, reached: set[fx.Node]) -> bool:
    return node not in reached and node.op != "get_attr" and any(user in reached for user in node.users)


class Packed(nn.Module):
    """The first half: several tensors as one row of numbers per item, so that they are one tensor.

    The width of a row tells their shapes, also where items differ in length; where it would not, the row gets
    a column more.
    """

    def __init__(self, before: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.shapes: dict[int, tuple[torch.Size, ...]] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the features."""
        parts = self.before(inputs)
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        shapes = tuple(part.shape[1:] for part in parts)
        width = sum(shape.numel() for shape in shapes)
        columns = width
        while self.shapes.setdefault(columns, shapes) != shapes:
            columns += 1
        filling = [parts[0].new_zeros(len(inputs), columns - width)] if columns > width else []
        return torch.cat([*(part.flatten(1) for part in parts), *filling], 1)

    def unpacked(self, features: Tensor) -> list[Tensor]:
        """Returns the tensors that a row of numbers was made of."""
        if not self.shapes:
            return [features]
        shapes = self.shapes[features.shape[1]]
        columns = features[:, : sum(shape.numel() for shape in shapes)]
        parts = torch.split(columns, [shape.numel() for shape in shapes], 1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]


class Unpacked(nn.Module):
    """The second half, a function of what ``Packed`` made."""

    def __init__(self, after: nn.Module, packed: Packed) -> None:
        super().__init__()
        self.after = after
        self.unpacked = packed.unpacked

    def forward(self, features: Tensor) -> Any:
        """Computes the outputs."""
        return self.after(*self.unpacked(features))
