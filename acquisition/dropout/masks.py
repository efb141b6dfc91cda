"""The noise of T networks, made from T seeds.

Each network has one 63-bit seed, each dropout site of it a seed derived from that, so a mask depends neither
on the other networks nor on the batch, the chunk, the order or the device.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from acquisition.dropout.layers import SELU_FLOOR, Noise, Site, SiteKey
from acquisition.randomness import derived_seed, generator

CALLS_PER_LAYER = 2**16


def draw_seeds(n_samples: int, seed: int) -> Tensor:
    """Draws one seed per network; the first ten of twenty are the ten of the same seed."""
    return torch.randint(2**63 - 1, (n_samples,), generator=generator(seed))


def make_noise(sites: Mapping[SiteKey, Site], seeds_T: Tensor, device: torch.device) -> dict[SiteKey, Noise]:
    """Makes the noise of all sites for all networks."""
    seeds = seeds_T.tolist()
    return {key: _noise(site, key, seeds, device) for key, site in sites.items()}


def _noise(site: Site, key: SiteKey, seeds: list[int], device: torch.device) -> Noise:
    place = key.layer * CALLS_PER_LAYER + key.call
    keep_T = torch.stack([_keep(site, derived_seed(seed, place)) for seed in seeds]).to(device)
    return _alpha_noise(keep_T, site.p) if site.kind.alpha else _plain_noise(keep_T, site.p)


def _keep(site: Site, seed: int) -> Tensor:
    return (torch.rand(site.shape, generator=generator(seed)) >= site.p).float()


def _plain_noise(keep_T: Tensor, p: float) -> Noise:
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return Noise(keep_T * scale, keep_T.new_empty(len(keep_T), 0))


def _alpha_noise(keep_T: Tensor, p: float) -> Noise:
    """Scales by a and shifts by b so that mean 0 and variance 1 stay (Klambauer et al. 2017, section 3)."""
    if p == 1:
        return Noise(keep_T * 0, keep_T * 0)
    a = (1 / ((1 - p) * (1 + p * SELU_FLOOR**2))) ** 0.5
    return Noise(a * keep_T, a * SELU_FLOOR * (1 - keep_T) - a * SELU_FLOOR * p)
