"""A chain of known layers after the first dropout, read as stages: noise, then one weight layer, and so on.

A mask commutes with ReLU, pooling (where it drops whole channels) and flattening, so it can wait until the
next weight layer, and there it is a choice of columns. ``stages`` returns None for any chain it does not know
for sure; that one runs as an ordinary module.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from torch import nn

from acquisition.dropout.layers import MaskedDropout, Site, SiteKey
from acquisition.products import QuickLinear

HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.Identity)
ELEMENTWISE = (*HOMOGENEOUS, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU)
POOLING = (nn.MaxPool2d, nn.AvgPool2d)
LINEAR = (nn.Linear, QuickLinear)
INACTIVE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
WeightLayer = nn.Linear | nn.Conv2d


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A weight layer with what surrounds it.

    Attributes:
        site: The noise that the stage starts with; None where it starts with none.
        before: Layers between the noise and the weights.
        weight: The weight layer.
        after: Layers between the weights and the next stage.
    """

    site: SiteKey | None
    before: tuple[nn.Module, ...]
    weight: WeightLayer
    after: tuple[nn.Module, ...]


def flat(module: nn.Module) -> list[nn.Module]:
    """Lists the layers of nested ``nn.Sequential``; any other module is one layer."""
    if type(module) is not nn.Sequential or hooked(module):
        return [module]
    return [layer for child in module for layer in flat(child)]


def stages(layers: list[nn.Module], sites: dict[SiteKey, Site], rank: int) -> list[Stage] | None:
    """Reads a chain that starts with a dropout.

    Args:
        layers: The chain, flat.
        sites: Its dropout sites, as a pass of one item met them.
        rank: Number of dimensions of what enters the chain, items included.
    """
    found: list[Stage] = []
    rest, calls = layers, Counter[int]()
    while rest:
        site, rest = _take_site(rest, calls)
        before, rest = _take(rest, (*ELEMENTWISE, *POOLING, nn.Flatten, *INACTIVE))
        if not rest or not _is_weight(rest[0]):
            return None
        weight, (after, rest) = rest[0], _take(rest[1:], (*ELEMENTWISE, *POOLING, nn.Flatten, *INACTIVE))
        assert isinstance(weight, WeightLayer)
        found.append(Stage(site=site, before=before, weight=weight, after=after))
    return found if _sound(found, sites, rank) else None


def _take_site(layers: list[nn.Module], calls: Counter[int]) -> tuple[SiteKey | None, list[nn.Module]]:
    if not isinstance(layers[0], MaskedDropout):
        return None, layers
    number = layers[0].number
    calls[number] += 1
    return SiteKey(number, calls[number] - 1), layers[1:]


def _take(
    layers: list[nn.Module], kinds: tuple[type[nn.Module], ...]
) -> tuple[tuple[nn.Module, ...], list[nn.Module]]:
    n = 0
    while n < len(layers) and type(layers[n]) in kinds and not hooked(layers[n]):
        n += 1
    return tuple(layers[:n]), layers[n:]


def _is_weight(layer: nn.Module) -> bool:
    if hooked(layer):
        return False
    return type(layer) in LINEAR or (type(layer) is nn.Conv2d and layer.groups == 1)


def hooked(module: nn.Module) -> bool:
    """Whether a module has hooks or a forward of its own, which run only where it is called."""
    own = "forward" in vars(module)  # set on the instance, as wrappers of libraries do
    return bool(own or module._forward_hooks or module._forward_pre_hooks)


def _sound(found: list[Stage], sites: dict[SiteKey, Site], rank: int) -> bool:
    """Follows the rank through the chain: matrices into Linear, images into Conv2d, masks that commute."""
    for number, stage in enumerate(found):
        site = None if stage.site is None else sites.get(stage.site)
        if stage.site is not None and (site is None or site.kind.alpha):
            return False
        if site is not None and not _commutes(site, stage, found[number - 1] if number else None):
            return False
        rank = _rank_after(stage.before, rank)
        if rank != (2 if isinstance(stage.weight, nn.Linear) else 4):
            return False
        rank = _rank_after(stage.after, rank)
    return rank == 2 and len({s.site for s in found if s.site}) == len(sites)


def _commutes(site: Site, stage: Stage, previous: Stage | None) -> bool:
    if any(type(layer) not in (*HOMOGENEOUS, *POOLING, nn.Flatten, *INACTIVE) for layer in stage.before):
        return False
    images = isinstance(stage.weight, nn.Conv2d) or any(type(layer) in POOLING for layer in stage.before)
    if images and not site.kind.channels:
        return False
    return previous is None or _thinnable(site, previous)


def _thinnable(site: Site, previous: Stage) -> bool:
    """Whether a dropped unit is a row of the weights before it, or the mask waits for the next columns."""
    return site.kind.channels or len(site.shape) == 1 or isinstance(previous.weight, nn.Conv2d)


def _rank_after(layers: tuple[nn.Module, ...], rank: int) -> int:
    for layer in layers:
        if type(layer) in POOLING and rank != 4:
            return -1
        if type(layer) is nn.Flatten:
            if (layer.start_dim, layer.end_dim) != (1, -1):
                return -1
            rank = 2
    return rank
