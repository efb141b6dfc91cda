"""All parameters of a module as one vector, so that a step, a moment or a sample is one operation.

``Layout`` says where each parameter lies in the vector; ``Flattened`` puts the parameters and their gradients
of a living module into two vectors, of which its tensors are views.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from acquisition.errors import InvalidInput
from acquisition.tasks import losses
from acquisition.training import Data, loaded, outputs, tensors_of
from acquisition.types import ModuleFactory


class Layout:
    """The order of a module's trainable parameters in a vector of length P."""

    def __init__(self, module: nn.Module) -> None:
        self.shapes = {name: p.shape for name, p in module.named_parameters() if p.requires_grad}
        self.n_weights = sum(shape.numel() for shape in self.shapes.values())
        if not self.shapes:
            raise InvalidInput(f"{type(module).__name__} has no trainable parameters.")

    def views(self, vector: Tensor) -> dict[str, Tensor]:
        """Cuts [..., P] into the parameters, [..., *shape] each; no copy."""
        parts = torch.split(vector, [shape.numel() for shape in self.shapes.values()], -1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view((*part.shape[:-1], *shape)) for (name, shape), part in named}

    def vector(self, tensors: Mapping[str, Tensor], leading: int = 0) -> Tensor:
        """Joins parameters, [..., *shape] each, into [..., P]; ``leading`` counts the dimensions in front."""
        parts = [tensors[name] for name in self.shapes]
        return torch.cat([part.reshape((*part.shape[:leading], -1)) for part in parts], -1)

    def named(self, what: str, vector: Tensor) -> dict[str, Tensor]:
        """Names the parts of a vector for a saved state: ``mean.0.weight`` and so on."""
        return {f"{what}.{name}": part.clone() for name, part in self.views(vector).items()}

    def read(self, what: str, state: Mapping[str, Tensor], leading: int = 0) -> Tensor:
        """Reads what ``named`` wrote.

        Raises:
            InvalidInput: A part is missing or has another shape.
        """
        found = {name: state.get(f"{what}.{name}") for name in self.shapes}
        for name, part in found.items():
            if part is None or part.shape[leading:] != self.shapes[name]:
                shape = None if part is None else list(part.shape)
                raise InvalidInput(
                    f"The saved state does not fit the model of the factory: {what}.{name} is {shape}."
                )
        return self.vector({name: part for name, part in found.items() if part is not None}, leading)


def shared_state(module: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """Copies what all samples share for a saved state: buffers and frozen parameters."""
    rest = {name: tensor for name, tensor in tensors_of(module).items() if name not in layout.shapes}
    return {f"shared.{name}": tensor for name, tensor in rest.items()}


def restored_mean(module_factory: ModuleFactory, state: Mapping[str, Tensor]) -> nn.Module:
    """Makes the mean network of a saved state; errors as in ``loaded``."""
    parts = [(key.partition("."), tensor) for key, tensor in state.items()]
    return loaded(module_factory, {name: t for (what, _, name), t in parts if what in ("mean", "shared")})


def with_weights(module: nn.Module, layout: Layout, weights_P: Tensor) -> nn.Module:
    """Puts a vector into a module, in tensors of its own, without gradients."""
    views = layout.views(weights_P)
    for name, parameter in module.named_parameters():
        if name in views:
            parameter.grad, parameter.data = None, views[name].clone()
    return module


class Flattened:
    """A module whose parameters are views of ``values`` and whose gradients are views of ``gradients``."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.layout = Layout(module)
        parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.values = self.layout.vector({name: p.detach() for name, p in parameters.items()})
        self.gradients = torch.zeros_like(self.values)
        values, gradients = self.layout.views(self.values), self.layout.views(self.gradients)
        for name, parameter in parameters.items():
            parameter.data, parameter.grad = values[name], gradients[name]

    def gradient(self, data: Data, rows: Tensor) -> Tensor:
        """Puts the gradient of the mean loss of some items into ``gradients``; returns that loss."""
        self.gradients.zero_()
        found = outputs(self.module, data.inputs[rows], data)
        loss = losses(data.task, found, data.targets[rows]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def without_dropout(module: nn.Module) -> nn.Module:
    """Switches a module to training mode except for its dropout layers.

    A method whose samples are weights models the network without dropout; a second noise in its gradients
    would be counted as uncertainty.
    """
    module.train()
    for layer in module.modules():
        if isinstance(layer, _DropoutNd):
            layer.eval()
    return module
