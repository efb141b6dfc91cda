"""T networks of any module: ``vmap`` over the noise, the items unbatched.

What comes before the first dropout then runs once, not T times, residual connections included. A module
that ``vmap`` can not take (in-place sums, branches on values) runs in a loop over T.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from acquisition.posteriors.dropout_layers import Noise, Sampling, SiteKey

ELEMENTS_AT_ONCE = 2**22


class Mapped:
    """The T networks of one draw."""

    def __init__(self, module: nn.Module, sampling: Sampling, noise: Mapping[SiteKey, Noise]) -> None:
        self.module = module
        self.sampling = sampling
        self.noise = noise
        self.vectorized = True

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        if not self.vectorized:
            return self._looped(features)
        try:
            return self._mapped(features)
        except RuntimeError:
            self.vectorized = False  # the loop meets the same error where the module is to blame
            return self._looped(features)

    def _mapped(self, features: Tensor) -> Tensor:
        widest = max(noise.factor[0].numel() for noise in self.noise.values())
        samples = max(1, ELEMENTS_AT_ONCE // (len(features) * widest))
        run = torch.func.vmap(lambda noise: self._one(noise, features), chunk_size=samples)
        with warnings.catch_warnings():
            # Some attention kernels run sample by sample inside vmap: slower, and still right.
            warnings.filterwarnings("ignore", "There is a performance drop because we have not yet")
            logits_T_N_C: Tensor = run(dict(self.noise))
        return logits_T_N_C

    def _looped(self, features: Tensor) -> Tensor:
        n_samples = len(next(iter(self.noise.values())).factor)
        return torch.stack([self._one(_sample(self.noise, t), features) for t in range(n_samples)])

    def _one(self, noise: Mapping[SiteKey, Noise], features: Tensor) -> Tensor:
        with self.sampling.using(noise, len(features)):
            logits_N_C: Tensor = self.module(features)
        return logits_N_C


def _sample(noise: Mapping[SiteKey, Noise], t: int) -> dict[SiteKey, Noise]:
    return {key: Noise(site.factor[t], site.shift[t]) for key, site in noise.items()}
