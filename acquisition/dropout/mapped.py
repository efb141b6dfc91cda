"""T networks of any module, one after the other on a CPU, in one call on a GPU.

On a CPU a pass is never slower than one of a plain loop: the masks are at hand, where the loop would draw
them for every item. On a GPU ``vmap`` over the noise saves launches; a module that it can not take (in-place
sums, branches on values) runs in the loop.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from acquisition.dropout.layers import Noise, Sampling, SiteKey

ELEMENTS_AT_ONCE = 2**22


class Mapped:
    """The T networks of one draw."""

    def __init__(
        self, module: nn.Module, sampling: Sampling, noise: Mapping[SiteKey, Noise], *, pure: bool
    ) -> None:
        self.module = module
        self.sampling = sampling
        self.noise = noise
        self.pure = pure
        self.n_samples = len(next(iter(noise.values())).factor)
        self.vectorized = next(iter(noise.values())).factor.device.type != "cpu"

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        if not self.vectorized:
            return self._looped(features)
        try:
            return self._mapped(features)
        except torch.OutOfMemoryError:
            raise
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
        return torch.stack([self._one(_sample(self.noise, t), features) for t in range(self.n_samples)])

    def _one(self, noise: Mapping[SiteKey, Noise], features: Tensor) -> Tensor:
        own = features if self.pure else features.clone()  # unknown code may write into what it is given
        with self.sampling.using(noise, len(features)):
            logits_N_C: Tensor = self.module(own)
        return logits_N_C


def _sample(noise: Mapping[SiteKey, Noise], t: int) -> dict[SiteKey, Noise]:
    return {key: Noise(site.factor[t], site.shift[t]) for key, site in noise.items()}
