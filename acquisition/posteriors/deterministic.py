"""The layers before the first dropout, which run once per item.

Convolutions run with the channels innermost in memory, which is faster on a CPU. A module of unknown code may
rely on the usual order (``view``), so only chains of known layers are changed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from acquisition.posteriors.chains import ELEMENTWISE, INACTIVE, POOLING

KNOWN = (
    *ELEMENTWISE,
    *POOLING,
    *INACTIVE,
    nn.Conv2d,
    nn.BatchNorm2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Linear,
)


def images_last(layers: list[nn.Module]) -> Callable[[Tensor], Tensor]:
    """Returns the chain of the layers as a function of the items."""
    chain = nn.Sequential(*layers)
    images = any(type(layer) is nn.Conv2d for layer in layers)
    if not images or not all(type(layer) in KNOWN for layer in layers):
        return chain
    chain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks this form
    return lambda inputs: _usual_order(chain(_channels_last(inputs)))


def _channels_last(inputs: Tensor) -> Tensor:
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def _usual_order(features: Tensor) -> Tensor:
    return features.contiguous()
