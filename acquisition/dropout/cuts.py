"""What one network keeps of a mask, in sizes that the matrix products of a CPU like."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.dropout.chains import WeightLayer
from acquisition.dropout.layers import Noise

LINEAR_WIDTH = 16  # products of other sizes are slower
IMAGE_WIDTH = 4  # and each size is compiled when it is first met


class Cut(NamedTuple):
    """Units of a mask with their factors, filled up with units of factor 0 to a round number.

    Attributes:
        units: Which, rising.
        factors: One each.
        size: How many units the mask has.
    """

    units: Tensor
    factors: Tensor
    size: int


def cut(noise: Noise, t: int, weight: WeightLayer, *, away: bool) -> Cut:
    """Cuts out what network ``t`` keeps, or what is to be taken ``away`` from the sum of all units."""
    factors = noise.factor[t].flatten()
    # The largest factor of all networks: one that lost every unit has none of its own to measure by.
    wanted = noise.factor.max() - factors if away else factors
    units = _filled(wanted, LINEAR_WIDTH if isinstance(weight, nn.Linear) else IMAGE_WIDTH)
    return Cut(units, wanted[units], len(factors))


def _filled(wanted: Tensor, width: int) -> Tensor:
    """Returns the units that are wanted, and as many others as make their number a multiple of ``width``."""
    count = min(len(wanted), -(-int(wanted.count_nonzero()) // width) * width)
    order = torch.argsort((wanted == 0).to(torch.uint8), stable=True)
    return order[: max(1, count)].sort().values


def columns_of(weight: WeightLayer, found: Cut) -> Tensor:
    """Returns the inputs of a weight layer that belong to the units; a channel may be many pixels."""
    pixels = inputs_of(weight) // found.size
    if pixels == 1:
        return found.units
    return (found.units[:, None] * pixels + torch.arange(pixels, device=found.units.device)).flatten()


def dropped_share(factors: Tensor) -> float:
    """Returns the share of units that are dropped."""
    return float((factors == 0).float().mean())


def scale_of(factors: Tensor) -> Tensor:
    """Returns the factor of the units that are kept."""
    return factors.max()


def inputs_of(weight: WeightLayer) -> int:
    """Counts the inputs of a weight layer: features or channels."""
    return weight.in_features if isinstance(weight, nn.Linear) else weight.in_channels


def outputs_of(weight: WeightLayer) -> int:
    """Counts the outputs of a weight layer: features or channels."""
    return weight.out_features if isinstance(weight, nn.Linear) else weight.out_channels
