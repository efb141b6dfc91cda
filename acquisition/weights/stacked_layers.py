"""Layers of M equal networks with stacked weights, forwards and backwards by hand.

Autograd would allocate a new tensor for each gradient of a weight and clear it away again; here each is
written into its place in one vector, of which a fused optimizer then makes one step. What is not written by
hand (other activations, normalisation) asks autograd for that piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from acquisition.dropout.chains import ELEMENTWISE, flat
from acquisition.heads import Heteroscedastic
from acquisition.products import linear

LINEAR = (nn.Linear, Heteroscedastic)
BITS = 2**16
Parameters = dict[str, Tensor]


class Layer(Protocol):
    """One layer of M networks; remembers what its way back needs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes [M, B, …] from [M, B, …]."""
        ...

    def backward(self, gradient: Tensor) -> Tensor | None:
        """Writes the gradients of its weights and returns that of its inputs, None where nobody asks."""
        ...


class Linear:
    """M linear layers, with the ReLU behind them; ``first`` has inputs that need no gradient."""

    def __init__(self, weights: Parameters, gradients: Parameters, *, first: bool, relu: bool) -> None:
        self.weight_M_O_I, self.bias = weights["weight"], weights.get("bias")
        self.weight_gradient, self.bias_gradient = gradients["weight"], gradients.get("bias")
        self.first = first
        self.relu = relu

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the outputs."""
        self.inputs_M_B_I = inputs.flatten(1, -2)
        outputs_M_B_O = self._product()
        self.outputs = outputs_M_B_O.view(*inputs.shape[:-1], -1)
        return self.outputs

    def _product(self) -> Tensor:
        if len(self.weight_M_O_I) == 1:
            bias = None if self.bias is None else self.bias[0]
            return linear(self.inputs_M_B_I[0], self.weight_M_O_I[0], bias, relu=self.relu)[None]
        transposed_M_I_O = self.weight_M_O_I.transpose(1, 2)
        if self.bias is None:
            outputs_M_B_O = torch.bmm(self.inputs_M_B_I, transposed_M_I_O)
        else:
            outputs_M_B_O = torch.baddbmm(self.bias[:, None], self.inputs_M_B_I, transposed_M_I_O)
        return outputs_M_B_O.relu_() if self.relu else outputs_M_B_O

    def backward(self, gradient: Tensor) -> Tensor | None:
        """Goes back."""
        if self.relu:
            gradient = _through_relu(gradient, self.outputs)
        gradient_M_B_O = gradient.flatten(1, -2)
        if len(self.weight_M_O_I) == 1:
            torch.mm(gradient_M_B_O[0].T, self.inputs_M_B_I[0], out=self.weight_gradient[0])
        else:
            torch.bmm(gradient_M_B_O.transpose(1, 2), self.inputs_M_B_I, out=self.weight_gradient)
        if self.bias_gradient is not None:
            torch.sum(gradient_M_B_O, 1, out=self.bias_gradient)
        if self.first:
            return None
        if len(self.weight_M_O_I) == 1:
            back_M_B_I = linear(gradient_M_B_O[0], self.weight_M_O_I[0].T)[None]
        else:
            back_M_B_I = torch.bmm(gradient_M_B_O, self.weight_M_O_I)
        return back_M_B_I.view(*gradient.shape[:-1], -1)


class Relu:
    """Sets what is negative to 0."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the outputs."""
        self.outputs = inputs.relu()
        return self.outputs

    def backward(self, gradient: Tensor) -> Tensor | None:
        """Goes back."""
        return _through_relu(gradient, self.outputs)


def _through_relu(gradient: Tensor, outputs: Tensor) -> Tensor:
    back: Tensor = torch.ops.aten.threshold_backward(gradient, outputs, 0)
    return back


class Dropout:
    """Drops elements of all networks by one mask of 16 random bits each."""

    def __init__(self, p: float, source: torch.Generator) -> None:
        self.p = p
        self.source = source

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the outputs."""
        self.mask = self._mask(inputs)
        return inputs * self.mask

    def _mask(self, inputs: Tensor) -> Tensor:
        if self.p == 1:
            return torch.zeros_like(inputs)
        words = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64, device=inputs.device)
        words.random_(-(2**63), None, generator=self.source)
        bits = words.view(torch.int16)[: inputs.numel()].view(inputs.shape)
        kept = bits >= round(self.p * BITS) - BITS // 2
        return kept.to(inputs.dtype).mul_(1 / (1 - self.p))

    def backward(self, gradient: Tensor) -> Tensor | None:
        """Goes back."""
        return gradient * self.mask


class Differentiated:
    """Any other layer, by autograd; its weights have M first."""

    def __init__(
        self, run: Callable[[Tensor, Parameters], Tensor], weights: Parameters, gradients: Parameters
    ) -> None:
        self.run = run
        self.weights = weights
        self.gradients = gradients

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the outputs."""
        with torch.enable_grad():
            self.inputs = inputs.detach().requires_grad_(inputs.is_floating_point())
            self.leaves = {name: tensor.detach().requires_grad_() for name, tensor in self.weights.items()}
            self.outputs = self.run(self.inputs, self.leaves)
        return self.outputs.detach()

    def backward(self, gradient: Tensor) -> Tensor | None:
        """Goes back."""
        asked = [self.inputs, *self.leaves.values()]
        back, *found = torch.autograd.grad(self.outputs, asked, gradient)
        for name, tensor in zip(self.leaves, found, strict=True):
            self.gradients[name].copy_(tensor)
        return back


class Stack:
    """M networks of one kind: their weights and gradients as two vectors, and their layers."""

    def __init__(self, modules: list[nn.Module], source: torch.Generator) -> None:
        self.values, self.gradients = _vectors(modules)
        weights, gradients = (_cut(v, modules) for v in (self.values, self.gradients))
        layers = [layer for layer in flat(modules[0]) if not _idle(layer)]
        names = {layer: name for name, layer in modules[0].named_modules()}
        first = next(n for n, layer in enumerate(layers) if list(layer.parameters()))
        self.layers: list[Layer] = []
        for n, layer in enumerate(layers):
            fused = n > 0 and type(layer) is nn.ReLU and type(layers[n - 1]) in LINEAR
            if not fused:
                relu = n + 1 < len(layers) and type(layers[n + 1]) is nn.ReLU
                mine, back = (_own(part, names[layer]) for part in (weights, gradients))
                self.layers.append(_layer(layer, mine, back, source, first=n <= first, relu=relu))
        self._weights = weights

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes outputs_M_B_O of inputs [M, B, …]."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, gradient: Tensor) -> None:
        """Fills ``gradients`` from the gradient of the outputs."""
        back: Tensor | None = gradient
        for layer in reversed(self.layers):
            if back is None:
                return
            back = layer.backward(back)

    def unstack(self, modules: list[nn.Module]) -> None:
        """Puts the weights back into the modules."""
        with torch.no_grad():
            for m, module in enumerate(modules):
                for name, parameter in module.named_parameters():
                    parameter.copy_(self._weights[name][m])


def _vectors(modules: list[nn.Module]) -> tuple[Tensor, Tensor]:
    """Lays the parameters out one after the other, of each those of all modules."""
    parts = [torch.stack(same).flatten() for same in zip(*(m.parameters() for m in modules), strict=True)]
    values = torch.cat(parts).detach()
    return values, torch.zeros_like(values)


def _cut(vector: Tensor, modules: list[nn.Module]) -> Parameters:
    named = dict(modules[0].named_parameters())
    parts = torch.split(vector, [len(modules) * p.numel() for p in named.values()])
    return {n: part.view(len(modules), *p.shape) for (n, p), part in zip(named.items(), parts, strict=True)}


def _own(parameters: Parameters, name: str) -> Parameters:
    start = f"{name}." if name else ""
    return {
        n.removeprefix(start): p for n, p in parameters.items() if n in (f"{start}weight", f"{start}bias")
    }


def _idle(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Identity) or (isinstance(layer, nn.Dropout) and layer.p == 0)


def _layer(
    layer: nn.Module,
    weights: Parameters,
    gradients: Parameters,
    source: torch.Generator,
    *,
    first: bool,
    relu: bool,
) -> Layer:
    if type(layer) in LINEAR:
        return Linear(weights, gradients, first=first, relu=relu)
    if type(layer) is nn.ReLU:
        return Relu()
    if isinstance(layer, nn.Dropout):
        return Dropout(layer.p, source)
    if isinstance(layer, nn.Flatten):
        return Differentiated(lambda x, _: x.flatten(2), {}, {})
    if isinstance(layer, nn.LayerNorm):
        return Differentiated(_normalised(layer), weights, gradients)
    assert type(layer) in ELEMENTWISE
    return Differentiated(lambda x, _: layer(x), {}, {})


def _normalised(layer: nn.LayerNorm) -> Callable[[Tensor, Parameters], Tensor]:
    def run(inputs: Tensor, weights: Parameters) -> Tensor:
        hidden = functional.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
        for name, tensor in weights.items():
            spread = tensor.view(len(tensor), *[1] * (inputs.dim() - tensor.dim()), *tensor.shape[1:])
            hidden = hidden * spread if name == "weight" else hidden + spread
        return hidden

    return run
