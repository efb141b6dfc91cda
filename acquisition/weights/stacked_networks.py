"""T weight sets of one module, run on the same items.

A chain of Linear layers, activations and normalisations runs layer by layer with the fastest products; where
its first layer is narrow, that layer of all T networks is one product, because they share their input. Any
other module runs in a loop on a CPU and by ``vmap`` on a GPU, where a launch costs more than the work; on a
GPU the later layers of a chain are batched products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from acquisition.dropout.chains import ELEMENTWISE, INACTIVE, flat
from acquisition.heads import Heteroscedastic
from acquisition.products import linear

LINEAR = (nn.Linear, Heteroscedastic)
CHAINABLE = (*LINEAR, *ELEMENTWISE, *INACTIVE, nn.Flatten, nn.LayerNorm, nn.BatchNorm1d)
Weights = Mapping[str, Tensor]
Networks = Callable[[Tensor], Tensor]
NARROW = 64  # units of a layer that is quicker as one product for all networks


def networks(module: nn.Module, stacked: Weights, items: Tensor) -> Networks:
    """Returns the fastest way to run T networks.

    Args:
        module: In evaluation mode; gives the layers, and all tensors that are not in ``stacked``.
        stacked: Parameters and buffers by name, each with T first.
        items: Some of the items that will come, for their number of dimensions.
    """
    layers = flat(module)
    if _chain(layers, items):
        return Chain(module, layers, stacked)
    return Looped(module, stacked) if items.device.type == "cpu" else Mapped(module, stacked)


def _chain(layers: list[nn.Module], items: Tensor) -> bool:
    known = all(type(layer) in CHAINABLE and not layer._forward_hooks for layer in layers)
    first = next((n for n, layer in enumerate(layers) if type(layer) in LINEAR), None)
    if not known or first is None or any(_normalises(layer) for layer in layers[:first]):
        return False
    flattened = any(type(layer) is nn.Flatten for layer in layers[:first])
    vectors = all(len(n.normalized_shape) == 1 for n in layers if isinstance(n, nn.LayerNorm))
    running = all(n.track_running_stats for n in layers if isinstance(n, nn.BatchNorm1d))
    return vectors and running and (flattened or items.dim() == 2) and not _reshapes(layers)


def _normalises(layer: nn.Module) -> bool:
    return isinstance(layer, nn.LayerNorm | nn.BatchNorm1d)


def _reshapes(layers: list[nn.Module]) -> bool:
    return any(isinstance(n, nn.Flatten) and (n.start_dim, n.end_dim) != (1, -1) for n in layers)


class Chain:
    """T networks that are a chain of known layers."""

    def __init__(self, module: nn.Module, layers: list[nn.Module], stacked: Weights) -> None:
        self.names = {layer: name for name, layer in module.named_modules()}
        self.stacked = stacked
        self.n_networks = len(next(iter(stacked.values())))
        first = next(n for n, layer in enumerate(layers) if type(layer) in LINEAR)
        self.before = nn.Sequential(*layers[:first])
        active = [
            layer for layer in layers[first:] if type(layer) not in (*INACTIVE, nn.Identity, nn.Flatten)
        ]
        self.steps = [self._step(layer, following) for layer, following in pairwise([*active, nn.Identity()])]
        fused = [n for n, layer in enumerate(active) if n and _fused(active[n - 1], layer)]
        self.steps = [step for n, step in enumerate(self.steps) if n not in fused]

    def __call__(self, items: Tensor) -> Tensor:
        """Computes the outputs [T, N, O]."""
        hidden: Tensor = self.before(items)
        for step in self.steps:
            hidden = step(hidden)
        return hidden

    def _step(self, layer: nn.Module, following: nn.Module) -> Callable[[Tensor], Tensor]:
        if type(layer) in ELEMENTWISE:
            return layer
        weight, bias = self._affine(layer, self.names[layer])
        if type(layer) in LINEAR:
            return partial(_linear, weight, bias, relu=_fused(layer, following))
        if isinstance(layer, nn.LayerNorm):
            eps = layer.eps
            return lambda h: torch.addcmul(
                bias[:, None], functional.layer_norm(h, h.shape[-1:], eps=eps), weight[:, None]
            )
        return self._normalised(layer, self.names[layer], weight, bias)

    def _normalised(
        self, layer: nn.Module, name: str, weight: Tensor, bias: Tensor
    ) -> Callable[[Tensor], Tensor]:
        assert isinstance(layer, nn.BatchNorm1d)
        mean, variance = (self._tensor(layer, name, f"running_{what}") for what in ("mean", "var"))
        scale = weight * torch.rsqrt(variance + layer.eps)
        shift = bias - mean * scale
        return lambda h: torch.addcmul(shift[:, None], h, scale[:, None])

    def _affine(self, layer: nn.Module, name: str) -> tuple[Tensor, Tensor]:
        like = next(iter(self.stacked.values()))
        n_units = layer.out_features if type(layer) in LINEAR else _units(layer)
        absent = [like.new_ones(1, 1), like.new_zeros(self.n_networks, int(n_units))]  # type: ignore[arg-type]
        tensors = [
            absent[n] if getattr(layer, what) is None else self._tensor(layer, name, what)
            for n, what in enumerate(("weight", "bias"))
        ]
        return tensors[0], tensors[1]

    def _tensor(self, layer: nn.Module, name: str, what: str) -> Tensor:
        """Returns a tensor of the T networks; what is not stacked they share."""
        full = f"{name}.{what}" if name else what
        if full in self.stacked:
            return self.stacked[full]
        own: Tensor = getattr(layer, what).detach()
        return own.expand(self.n_networks, *own.shape)


def _fused(layer: nn.Module, following: nn.Module) -> bool:
    return type(layer) in LINEAR and type(following) is nn.ReLU


def _linear(weight_T_H_D: Tensor, bias_T_H: Tensor, hidden: Tensor, *, relu: bool) -> Tensor:
    """Computes [T, N, H] of items [N, D] that all networks share, or of [T, N, D]."""
    n_networks, n_units, _ = weight_T_H_D.shape
    if hidden.dim() == 2 and (n_units <= NARROW or hidden.device.type != "cpu"):
        outputs_N_TH = linear(hidden, weight_T_H_D.flatten(0, 1), bias_T_H.flatten(), relu=relu)
        return outputs_N_TH.view(len(hidden), n_networks, n_units).transpose(0, 1)
    if hidden.device.type != "cpu":
        outputs_T_N_H = torch.baddbmm(bias_T_H[:, None], hidden, weight_T_H_D.transpose(1, 2))
        return outputs_T_N_H.relu_() if relu else outputs_T_N_H
    inputs = hidden.expand(n_networks, *hidden.shape[-2:])
    each = zip(inputs, weight_T_H_D, bias_T_H, strict=True)
    return torch.stack([linear(h, weight, bias, relu=relu) for h, weight, bias in each])


def _units(layer: nn.Module) -> int:
    if isinstance(layer, nn.LayerNorm):
        return int(layer.normalized_shape[0])
    assert isinstance(layer, nn.BatchNorm1d)
    return layer.num_features


class Looped:
    """T networks of any module, one after the other."""

    def __init__(self, module: nn.Module, stacked: Weights) -> None:
        self.module = module
        self.stacked = stacked

    def __call__(self, items: Tensor) -> Tensor:
        """Computes the outputs [T, N, O]."""
        n_networks = len(next(iter(self.stacked.values())))
        each = [{name: tensor[t] for name, tensor in self.stacked.items()} for t in range(n_networks)]
        return torch.stack([one(self.module, weights, items) for weights in each])


class Mapped:
    """T networks of any module in one call; in a loop where ``vmap`` can not take the module."""

    def __init__(self, module: nn.Module, stacked: Weights) -> None:
        self.module = module
        self.stacked = stacked
        self.vectorized = True

    def __call__(self, items: Tensor) -> Tensor:
        """Computes the outputs [T, N, O]."""
        if self.vectorized:
            try:
                run = torch.func.vmap(lambda weights: one(self.module, weights, items))
                outputs_T_N_O: Tensor = run(dict(self.stacked))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:
                self.vectorized = False  # the loop meets the same error where the module is to blame
            else:
                return outputs_T_N_O
        return Looped(self.module, self.stacked)(items)


def one(module: nn.Module, weights: Weights, items: Tensor) -> Tensor:
    """Runs a module with some of its tensors replaced."""
    outputs_N_O: Tensor = functional_call(module, dict(weights), (items.clone(),))
    return outputs_N_O
