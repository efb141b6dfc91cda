"""Weighted sum: several scores of the same items added up, each with a weight.

Formula: Σ_f w_f s_f; with ``scale="standard"`` each s_f first loses its mean and is divided by its standard
deviation over the items, so that weights compare nats with distances. A score that is the same everywhere
adds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.types import Composition

SCALES = ("standard", "none")


def build(*, weights: Mapping[str, float] | None = None, scale: str = "standard") -> Composition:
    """Returns the composition.

    Args:
        weights: One per score, by its name, of any sign; None weighs all alike.
        scale: ``"standard"`` makes the scores comparable, ``"none"`` takes them as they are.

    Raises:
        InvalidOption: A weight that is no number, or no such scale.
    """
    if scale not in SCALES:
        raise InvalidOption(f"scale is {scale!r}; one of {', '.join(SCALES)} is expected.")
    for name, weight in (weights or {}).items():
        if not math.isfinite(weight):
            raise InvalidOption(f"The weight of {name!r} is {weight!r}; a number is expected.")
    return partial(compose, weights=weights, scale=scale)


def compose(scores: Mapping[str, Tensor], *, weights: Mapping[str, float] | None, scale: str) -> Tensor:
    """Computes scores_N."""
    given = dict.fromkeys(scores, 1.0) if weights is None else weights
    if given.keys() != scores.keys():
        raise InvalidOption(f"Weights are given for {sorted(given)}, scores are {sorted(scores)}.")
    scaled = {name: _standard(s) if scale == "standard" else s for name, s in scores.items()}
    return torch.stack([given[name] * scaled[name] for name in scores]).sum(0)


def _standard(scores_N: Tensor) -> Tensor:
    spread = scores_N.std(correction=0) if len(scores_N) else scores_N.new_tensor(0.0)
    centred_N = scores_N - scores_N.mean()
    return centred_N / spread if spread > 0 else torch.zeros_like(scores_N)
