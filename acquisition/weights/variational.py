"""A module whose weights are independent normal distributions, for training by the variational bound.

A pass samples. A ``nn.Linear`` that is given one vector per item samples its outputs, each item by itself:
y ~ N(x μᵀ, x² (σ²)ᵀ), the law that sampled weights would give to each item (local reparameterisation). All
other weights are sampled once per pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from acquisition.weights.flat_weights import Layout, with_weights


def gaussian_kl(mean: Tensor, std: Tensor, prior_std: float) -> Tensor:
    """Computes KL(Π N(μ_i, σ_i²) ‖ N(0, s²)) = Σ ln(s/σ_i) + (σ_i² + μ_i²) / (2 s²) − ½ in nats."""
    scaled = std / prior_std
    return (0.5 * (scaled**2 + (mean / prior_std) ** 2 - 1) - scaled.log()).sum()


class Variational(nn.Module):
    """A module with a mean and a standard deviation, σ = ln(1 + e^ρ), for each weight."""

    def __init__(self, module: nn.Module, initial_std: float, *, local: bool) -> None:
        super().__init__()
        self.layout = Layout(module)
        parameters = {name: p.detach() for name, p in module.named_parameters()}
        self.mean_P = nn.Parameter(self.layout.vector(parameters))
        rho = torch.tensor(initial_std, dtype=torch.float64).expm1().log()
        self.rho_P = nn.Parameter(torch.full_like(self.mean_P, float(rho)))
        self._sampled = [module]  # in a list, so that its own parameters are none of this module
        self._linear = _LinearLayers(module, self.layout) if local else None

    @property
    def std_P(self) -> Tensor:
        """The standard deviation of each weight."""
        return functional.softplus(self.rho_P)

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes outputs [N, O] with fresh noise from the global generator."""
        means, stds = self.layout.views(self.mean_P), self.layout.views(self.std_P)
        local = self._linear.use(stds) if self._linear else set()
        weights = {n: m if n in local else m + stds[n] * torch.randn_like(m) for n, m in means.items()}
        outputs_N_O: Tensor = functional_call(self._sampled[0], weights, (inputs,))
        return outputs_N_O

    def release(self) -> nn.Module:
        """Returns the module with the means as its weights and its own way to run."""
        module = self._sampled[0]
        if self._linear:
            self._linear.remove()
        return with_weights(module, self.layout, self.mean_P.detach())


class _LinearLayers:
    """The ``nn.Linear`` layers of a module, made to sample their outputs."""

    def __init__(self, module: nn.Module, layout: Layout) -> None:
        self.stds: dict[str, Tensor] = {}
        self.layers = {
            name: layer
            for name, layer in module.named_modules()
            if type(layer) is nn.Linear and all(_full(name, n) in layout.shapes for n, _ in _own(layer))
        }
        self.names = {_full(name, n) for name, layer in self.layers.items() for n, _ in _own(layer)}
        for name, layer in self.layers.items():
            layer.forward = lambda x, name=name, layer=layer: self._forward(name, layer, x)  # type: ignore[method-assign, misc]

    def use(self, stds: dict[str, Tensor]) -> set[str]:
        """Takes the deviations of the next pass; returns the weights that need no sampling."""
        self.stds = stds
        return self.names

    def remove(self) -> None:
        """Gives the layers their own way to run back."""
        for layer in self.layers.values():
            del layer.forward

    def _forward(self, name: str, layer: nn.Linear, inputs: Tensor) -> Tensor:
        weight_std = self.stds[_full(name, "weight")]
        bias_std = None if layer.bias is None else self.stds[_full(name, "bias")]
        if inputs.dim() != 2:  # the rows of one item share their weights, so these must be sampled
            weight = _sample(layer.weight, weight_std)
            bias = None if bias_std is None else _sample(layer.bias, bias_std)
            return functional.linear(inputs, weight, bias)
        mean = functional.linear(inputs, layer.weight, layer.bias)
        variance = functional.linear(inputs**2, weight_std**2, None if bias_std is None else bias_std**2)
        smallest = torch.finfo(variance.dtype).tiny  # the root has no gradient at 0, where an item is 0
        return mean + variance.clamp_min(smallest).sqrt() * torch.randn_like(mean)


def _own(layer: nn.Linear) -> list[tuple[str, Any]]:
    return list(layer.named_parameters(recurse=False))


def _full(module: str, parameter: str) -> str:
    return f"{module}.{parameter}" if module else parameter


def _sample(mean: Tensor, std: Tensor) -> Tensor:
    return mean + std * torch.randn_like(mean)
