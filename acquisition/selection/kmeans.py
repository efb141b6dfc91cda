"""K-means: one candidate near the centre of each of k clusters, the largest cluster first.

For a cold start: it covers the pool by features alone and needs no model and no label. Lloyd's algorithm from
a k-means++ start (Arthur and Vassilvitskii 2007), in mini-batches (Sculley 2010) above 10,000 candidates.
Cost: O(N·D·k) per pass. Where there are fewer different points than asked for, duplicates fill up the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acquisition.checks import refuse_rows
from acquisition.selection.clustering import clustered
from acquisition.selection.distances import refuse_overflow
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})


def build() -> Selector:
    """Returns the selector; it has no options."""
    return choose


def choose(candidates: Candidates, batch_size: int, *, seed: int) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the shares of the pool that they stand for."""
    assert candidates.features_N_D is not None
    features_N_D = candidates.features_N_D.detach().cpu().flatten(1).float()
    refuse_overflow(features_N_D)
    refuse_rows(~features_N_D.isfinite().all(-1), "features")
    points_N_D = features_N_D.numpy()
    _, first_U, owner_N = np.unique(points_N_D, axis=0, return_index=True, return_inverse=True)
    if len(first_U) <= batch_size:
        return _all_points(first_U, owner_N.reshape(-1), batch_size)
    return _nearest_to_centres(points_N_D, batch_size, seed)


def _all_points(first_U: NDArray[Any], owner_N: NDArray[Any], batch_size: int) -> Selection:
    counts_U = np.bincount(owner_N)
    order_U = np.lexsort((first_U, -counts_U))
    chosen = [*first_U[order_U], *np.setdiff1d(np.arange(len(owner_N)), first_U)][:batch_size]
    gains = np.zeros(batch_size)
    gains[: len(first_U)] = counts_U[order_U] / len(owner_N)
    return _selection(chosen, gains)


def _nearest_to_centres(points_N_D: NDArray[Any], batch_size: int, seed: int) -> Selection:
    owner_N, centres_K_D = clustered(points_N_D, batch_size, seed)
    sizes_K = np.bincount(owner_N, minlength=batch_size)
    free_N = np.ones(len(points_N_D), dtype=bool)
    chosen, order_K = [], np.argsort(-sizes_K, kind="stable")
    for cluster in order_K:
        distances_N = ((points_N_D - centres_K_D[cluster]) ** 2).sum(-1)
        chosen.append(int(np.where(free_N, distances_N, np.inf).argmin()))
        free_N[chosen[-1]] = False
    return _selection(chosen, sizes_K[order_K] / len(points_N_D))


def _selection(chosen: list[Any], gains: NDArray[Any]) -> Selection:
    return Selection(torch.tensor(chosen, dtype=torch.long), torch.from_numpy(gains).float())
