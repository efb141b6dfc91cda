"""Last layers of networks that predict a number: a mean and the logarithm of the noise variance.

``Heteroscedastic`` lets the noise depend on the item (Nix and Weigend 1994; Kendall and Gal 2017,
https://arxiv.org/abs/1703.04977), ``Homoscedastic`` has one noise for all, learnt or given.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from acquisition.errors import InvalidOption


class Heteroscedastic(nn.Linear):
    """Mean and log variance of each item, [N, D] → [N, 2]."""

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, 2)


class Homoscedastic(nn.Module):
    """Mean of each item and one log variance for all, [N, D] → [N, 2].

    Args:
        in_features: D.
        noise_variance: Kept as it is given; None learns it, from 1 on.
    """

    def __init__(self, in_features: int, noise_variance: float | None = None) -> None:
        super().__init__()
        if noise_variance is not None and not 0 < noise_variance < math.inf:
            raise InvalidOption(f"noise_variance is {noise_variance!r}; a number above 0 is expected.")
        self.mean = nn.Linear(in_features, 1)
        log_variance = torch.tensor(0.0 if noise_variance is None else math.log(noise_variance))
        if noise_variance is None:
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    def forward(self, features_N_D: Tensor) -> Tensor:
        """Computes [N, 2]."""
        mean_N_1: Tensor = self.mean(features_N_D)
        return torch.cat([mean_N_1, self.log_variance.to(mean_N_1).expand_as(mean_N_1)], -1)
