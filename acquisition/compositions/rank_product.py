"""Rank product: items that stand high by every score at once, whatever the scores' units are.

Formula: −Σ_f w_f ln rank_f, rank 1 for the largest score, ties share their mean rank; at most 0. Cost: O(N
log N) per score. Needs all items at once, because a rank is a place among all. Source: Breitling et al.
2004, https://doi.org/10.1016/j.febslet.2004.07.055.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.types import Composition


def build(*, weights: Mapping[str, float] | None = None) -> Composition:
    """Returns the composition.

    Args:
        weights: One per score, by its name, 0 or more; None weighs all alike.

    Raises:
        InvalidOption: A weight that is negative or no number.
    """
    for name, weight in (weights or {}).items():
        if not 0 <= weight < math.inf:
            raise InvalidOption(f"The weight of {name!r} is {weight!r}; a number of at least 0 is expected.")
    return partial(compose, weights=weights)


def compose(scores: Mapping[str, Tensor], *, weights: Mapping[str, float] | None) -> Tensor:
    """Computes scores_N."""
    given = dict.fromkeys(scores, 1.0) if weights is None else weights
    if given.keys() != scores.keys():
        raise InvalidOption(f"Weights are given for {sorted(given)}, scores are {sorted(scores)}.")
    return -torch.stack([given[name] * _ranks(scores[name]).log() for name in scores]).sum(0)


def _ranks(scores_N: Tensor) -> Tensor:
    """Returns ranks from 1 on, the largest score first; equal scores share the mean of their ranks."""
    ordered_N = scores_N.sort().values
    below_N = torch.searchsorted(ordered_N, scores_N)
    at_most_N = torch.searchsorted(ordered_N, scores_N, right=True)
    return len(scores_N) - (below_N + at_most_N - 1).to(scores_N.dtype) / 2
