"""Soft-rank: a random batch in which a candidate's chance falls with its rank, whatever the scores' scale.

Formula: top-k of −β ln r + Gumbel noise, which is sampling without replacement with chances ∝ r^−β, where the
best candidate has rank r = 1 and equal scores share the mean of their ranks. β → ∞ is top-k, β = 0 uniform.
O(N log N). When: scores whose order is to be trusted and their size is not. With β = 1 the best of N
candidates is drawn first with a chance of about 1/ln N.
Source: Kirsch et al. 2023, https://arxiv.org/abs/2106.12059.
"""

from functools import partial

import torch
from torch import Tensor

from acquisition.selection.gumbel import check_beta, drawn_of
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"scores"})


def build(*, beta: float = 1.0) -> Selector:
    """Returns the selector.

    Args:
        beta: How fast the chance falls with the rank, 0 or more; 1 is the paper's default.

    Raises:
        InvalidOption: ``beta`` is negative or no number.
    """
    check_beta(beta)
    return partial(choose, beta=beta)


def choose(candidates: Candidates, batch_size: int, *, seed: int, beta: float) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their scores without the noise."""
    assert candidates.scores_N is not None
    scores_N = candidates.scores_N
    return drawn_of(-beta * ranks(scores_N).log(), scores_N, batch_size, seed)


def ranks(scores_N: Tensor) -> Tensor:
    """Computes ranks in float64: 1 for the largest score; equal scores share the mean of their ranks."""
    _, position_N, counts_U = torch.unique(-scores_N, return_inverse=True, return_counts=True)
    mean_U: Tensor = counts_U.cumsum(0) - (counts_U - 1).double() / 2
    return mean_U[position_N]
