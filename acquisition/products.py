"""Matrix products in float32 by the fastest library that PyTorch carries; full precision, no approximation.

On a CPU PyTorch sends matrix products to MKL, which leaves half of an AMD processor unused; the oneDNN
library beside it does not (measured on one core: 218 against 101 billion operations per second). Its product
is called directly where it pays, and the usual one everywhere else: small or half-precision matrices, other
devices, builds without oneDNN.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_MULTIPLICATIONS = 2**17  # below, the call costs more than the product
VECTORS = ("AVX2", "AVX512")


class QuickLinear(nn.Linear):
    """A linear layer of a frozen model: the same weights, the faster product."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes x Wᵀ + b."""
        return linear(inputs, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None, *, relu: bool = False) -> Tensor:
    """Computes x Wᵀ + b, and the ReLU of it where asked for; for work without gradients."""
    if not _pays(inputs, weight):
        outputs = functional.linear(inputs, weight, bias)
        return outputs.relu_() if relu else outputs
    after = "relu" if relu else "none"
    found: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, after, [], "")
    return found


def quicken(model: nn.Module) -> None:
    """Lets the plain linear layers of a model take the faster product, in place."""
    for layer in model.modules():
        if type(layer) is nn.Linear and not (layer._forward_hooks or layer._forward_pre_hooks):
            layer.__class__ = QuickLinear


def _pays(inputs: Tensor, weight: Tensor) -> bool:
    return (
        inputs.numel() * weight.shape[0] >= LEAST_MULTIPLICATIONS
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not (torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad))
        and _available()
    )


@cache
def _available() -> bool:
    """Tries the product once: it is no public function of PyTorch and may change or be missing."""
    if torch.backends.cpu.get_cpu_capability() not in VECTORS:
        return False
    first, second = torch.arange(12.0).view(3, 4), torch.arange(20.0).view(5, 4) - 9
    try:
        with torch.inference_mode():  # a build without oneDNN has no such operator
            found = torch.ops.mkldnn._linear_pointwise(first, second, torch.ones(5), "relu", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(found, (first @ second.T + 1).relu())
