"""A dropout layer whose noise comes from a draw instead of from a random stream.

The noise has the shape of one item, so every item of a pool passes through the same T networks: what
BatchBALD and EPIG assume, and what makes a score independent of the chunk that an item came in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from acquisition.errors import InvalidInput

SELU_FLOOR = -1.7580993408473766  # −λα of SELU: what AlphaDropout sets a dropped unit to


class Kind(NamedTuple):
    """What a dropout layer drops (single elements or whole channels), and whether it keeps SELU's moments."""

    channels: bool
    alpha: bool


KINDS = {
    nn.Dropout.forward: Kind(channels=False, alpha=False),
    nn.Dropout1d.forward: Kind(channels=True, alpha=False),
    nn.Dropout2d.forward: Kind(channels=True, alpha=False),
    nn.Dropout3d.forward: Kind(channels=True, alpha=False),
    nn.AlphaDropout.forward: Kind(channels=False, alpha=True),
    nn.FeatureAlphaDropout.forward: Kind(channels=True, alpha=True),
}


class SiteKey(NamedTuple):
    """One call of one dropout layer in a pass: a layer used twice is two sites."""

    layer: int
    call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where noise enters: ``shape`` is that of the noise of one item."""

    kind: Kind
    p: float
    shape: tuple[int, ...]


class Noise(NamedTuple):
    """What a site does to its input: x · factor + shift; both have T first, then the shape of the site."""

    factor: Tensor
    shift: Tensor


class Sampling(threading.local):
    """What the dropout layers of one model are to do in the pass that runs now, per thread."""

    def __init__(self) -> None:
        self.n_items = 0
        self.calls: dict[int, int] = {}
        self.sites: dict[SiteKey, Site] | None = None
        self.noise: Mapping[SiteKey, Noise] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Sampling:
        return Sampling()

    @contextmanager
    def recording(self, n_items: int) -> Iterator[dict[SiteKey, Site]]:
        """Lets items through unchanged and notes the sites they meet."""
        sites: dict[SiteKey, Site] = {}
        with self._pass(n_items):
            self.sites = sites
            yield sites

    @contextmanager
    def using(self, noise: Mapping[SiteKey, Noise], n_items: int) -> Iterator[None]:
        """Applies the noise of one network, without the dimension T."""
        with self._pass(n_items):
            self.noise = noise
            yield

    @contextmanager
    def _pass(self, n_items: int) -> Iterator[None]:
        self.n_items, self.calls = n_items, {}
        try:
            yield
        finally:
            self.sites = self.noise = None

    def next_key(self, layer: int) -> SiteKey:
        """Counts the calls of a layer within the pass."""
        call = self.calls.get(layer, 0)
        self.calls[layer] = call + 1
        return SiteKey(layer, call)


class MaskedDropout(nn.Module):
    """Takes the place of a dropout layer; outside a pass with noise it lets everything through."""

    def __init__(self, layer: _DropoutNd, number: int, sampling: Sampling) -> None:
        super().__init__()
        self.kind = KINDS[type(layer).forward]
        self.p = layer.p
        self.number = number
        self.sampling = sampling

    def forward(self, inputs: Tensor) -> Tensor:
        """Applies the noise of the pass that runs now."""
        sampling = self.sampling
        if sampling.sites is None and sampling.noise is None:
            return inputs
        self._check_items(inputs)
        key = sampling.next_key(self.number)
        if sampling.sites is not None:
            sampling.sites[key] = Site(kind=self.kind, p=self.p, shape=self._shape(inputs))
        if sampling.noise is None:
            return inputs
        return apply(sampling.noise[key], inputs)

    def _shape(self, inputs: Tensor) -> tuple[int, ...]:
        item = tuple(inputs.shape[1:])
        return (*item[:1], *(1 for _ in item[1:])) if self.kind.channels else item

    def _check_items(self, inputs: Tensor) -> None:
        if inputs.dim() < 2 or len(inputs) != self.sampling.n_items:
            raise InvalidInput(
                f"A dropout layer (p={self.p}) gets a tensor of shape {list(inputs.shape)} for "
                f"{self.sampling.n_items} items: its first dimension has to count the items "
                "(batch_first=True), so that each item meets the same mask."
            )


def apply(noise: Noise, inputs: Tensor) -> Tensor:
    """Computes x · factor + shift for the noise of one network."""
    factor, shift = noise
    scaled = inputs * factor.to(inputs.dtype)
    return scaled + shift.to(inputs.dtype) if shift.numel() else scaled


def first_dropout(layers: list[nn.Module]) -> int:
    """Returns the position of the first layer that is or contains a dropout."""
    found = (
        n for n, layer in enumerate(layers) if any(isinstance(m, MaskedDropout) for m in layer.modules())
    )
    return next(found, len(layers))


def recorded_sites(module: nn.Module, sampling: Sampling, item: Tensor) -> dict[SiteKey, Site]:
    """Finds the sites of a module by a pass of a few items, which it may write into."""
    with torch.inference_mode(), sampling.recording(len(item)) as sites:
        module(item.clone())
    return sites
