"""Running statistics of batch normalisation that belong to given weights.

Weights that were drawn, not trained, have never seen data: the means and variances of their layers are
computed here from training items, as the average over batches of at most 256 of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

KEPT_ITEMS = 1024
ITEMS_AT_ONCE = 256


class BatchStatistics:
    """A copy of a module whose layers count what they see, and the items to show them."""

    def __init__(self, module: nn.Module, items: Tensor) -> None:
        self.module = copy.deepcopy(module).eval()
        self.items = items
        self.buffers = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}
        for name, layer in self.module.named_modules():
            if _counts(layer):
                layer.training, layer.momentum = True, None  # no momentum: the average over all batches
                for what in ("running_mean", "running_var", "num_batches_tracked"):
                    self.buffers[f"{name}.{what}" if name else what].zero_()

    def of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes the buffers of the module for some weights."""
        buffers = {name: buffer.clone() for name, buffer in self.buffers.items()}
        with torch.no_grad():
            for batch in self.items.tensor_split(-(-len(self.items) // ITEMS_AT_ONCE)):
                functional_call(self.module, {**weights, **buffers}, (batch,))
        return buffers

    def to(self, device: torch.device | str) -> BatchStatistics:
        """Returns the same on a device."""
        return BatchStatistics(copy.deepcopy(self.module).to(device), self.items.to(device))


def statistics_of(module: nn.Module, items: Tensor, order: Tensor) -> BatchStatistics | None:
    """Keeps the first 1,024 items in an order; None for a module without running statistics."""
    if not any(_counts(layer) for layer in module.modules()):
        return None
    return BatchStatistics(module, items[order[:KEPT_ITEMS]].clone())


def _counts(layer: nn.Module) -> bool:
    return isinstance(layer, _BatchNorm) and layer.track_running_stats
