"""Distinct: another selector's choice without near-duplicates of each other or of what is labeled.

Formula: down the inner selector's order, skipping who has a cosine similarity φᵀφ' / |φ||φ'| of at least
``threshold`` with one taken before or with a labeled item. The inner selector is asked for twice as many
until enough are left. Where the whole pool has too few, the skipped fill up the batch in the inner selector's
order, after all distinct ones. ``gains`` are the inner selector's. Two zero vectors are equal, one is unlike
all others.
Cost: the inner selector's, and O(n·D·k) for the n that it was asked for.
When: copies, crops, video frames or templated texts make top-k waste labels; much cheaper than a batch
method. To tune: ``threshold``. 0.95 is for normalised embeddings of pretrained encoders, where copies and
light edits lie above it and different items of a class below; features after a ReLU crowd together and may
need 0.99 or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.selection.distances import blocks, flat
from acquisition.selection.inner import built_inner, down_the_order
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})
ROUNDING = 1e-6


def build(
    *, inner: str = "top_k", inner_options: Mapping[str, Any] | None = None, threshold: float = 0.95
) -> Selector:
    """Returns the selector.

    Args:
        inner: The selector whose order is followed.
        inner_options: Its options.
        threshold: Cosine similarity from which two items count as the same, above 0 and at most 1.

    Raises:
        UnknownMethod: There is no such inner selector.
        InvalidOption: An option that is not known or outside its range.
    """
    if not 0 < threshold <= 1:
        raise InvalidOption(f"threshold is {threshold!r}; above 0 and at most 1 is expected.")
    return partial(choose, inner=built_inner(inner, inner_options), threshold=threshold)


def choose(
    candidates: Candidates, batch_size: int, *, seed: int, inner: Selector, threshold: float
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the inner selector's."""
    assert candidates.features_N_D is not None
    directions_N_D = directions(candidates.features_N_D)
    known_M_D = directions_N_D[:0]
    if candidates.labeled_M_D is not None:
        known_M_D = directions(candidates.labeled_M_D.to(directions_N_D.device))
    least = threshold - ROUNDING

    def kept(rows: Tensor) -> Tensor:
        return _unlike(directions_N_D[rows.to(directions_N_D.device)], known_M_D, least, batch_size)

    return down_the_order(candidates, batch_size, inner, seed, kept)


def directions(features_N_D: Tensor) -> Tensor:
    """Returns features of norm 1; a zero vector points in a direction of its own."""
    rows_N_D = flat(features_N_D)
    rows_N_D = rows_N_D / rows_N_D.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    norms_N = rows_N_D.norm(dim=1, keepdim=True)
    return torch.cat([rows_N_D / norms_N.clamp_min(0.5), (norms_N == 0).float()], dim=1)


def _unlike(rows_n_D: Tensor, known_M_D: Tensor, least: float, enough: int) -> Tensor:
    """Marks the first rows, at most ``enough``, that are like nobody marked or known before them."""
    alike_n = _any_alike(rows_n_D, known_M_D, least)
    kept_n = torch.zeros_like(alike_n)
    for _ in range(min(enough, len(rows_n_D))):
        free = (~alike_n).nonzero()
        if not len(free):
            break
        row = int(free[0])
        kept_n[row] = True
        alike_n |= rows_n_D @ rows_n_D[row] >= least
        alike_n[row] = True
    return kept_n


def _any_alike(rows_n_D: Tensor, known_M_D: Tensor, least: float) -> Tensor:
    if not len(known_M_D):
        return torch.zeros(len(rows_n_D), dtype=torch.bool, device=rows_n_D.device)
    parts = [rows_n_D[block] @ known_M_D.T >= least for block in blocks(len(rows_n_D), len(known_M_D))]
    return torch.cat([part.any(1) for part in parts])
