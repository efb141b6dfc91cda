"""TypiClust: the most typical candidate of each cluster that has no label yet, the largest cluster first.

Formula: k-means of candidates and labeled items into min(labeled + batch, ``max_clusters``) clusters;
clusters in the order of few labels, then of size; from each the candidate of largest typicality 1 / (mean
distance to its 20 nearest candidates of the cluster). Where clusters run out, it goes round again by the same
rule. ``gains`` are the typicalities, in 1 / units of the features, at most 1e5; a candidate alone in its
cluster has 0.
Clusters of fewer than 5 candidates are too small to be typical of anything: they come after all others.
Cost: O(N·D·clusters) per pass of k-means and O(n²·D) in a cluster of n, in blocks of bounded memory.
When: a cold start or a budget of a few labels per class, on features of a self-supervised or pretrained
model; needs no label and no score. With many labels, choose by uncertainty instead. The seed is that of
k-means.
Source: Hacohen et al. 2022, https://arxiv.org/abs/2202.02794.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acquisition.checks import check_count
from acquisition.selection.clustering import clustered
from acquisition.selection.distances import Points, blocks, points_of, squared_distances
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})
SMALL = 5


def build(*, max_clusters: int = 500, neighbours: int = 20) -> Selector:
    """Returns the selector.

    Args:
        max_clusters: Limit of the number of clusters; the paper's is 500.
        neighbours: How many nearest candidates the typicality looks at; the paper's is 20. Of a cluster of n,
            at most n / 2 are looked at.

    Raises:
        InvalidOption: An option is no whole number above 0.
    """
    check_count("max_clusters", max_clusters)
    check_count("neighbours", neighbours)
    return partial(choose, max_clusters=max_clusters, neighbours=neighbours)


def choose(
    candidates: Candidates, batch_size: int, *, seed: int, max_clusters: int, neighbours: int
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their typicalities."""
    assert candidates.features_N_D is not None
    points, labeled = points_of(candidates.features_N_D.cpu(), candidates.labeled_M_D)
    both = torch.cat([points.rows_N_D, labeled.rows_N_D]).numpy()
    n_clusters = min(len(labeled) + batch_size, max_clusters)
    owner = clustered(both, n_clusters, seed).owner_N
    owner_N, labels_K = owner[: len(points)], np.bincount(owner[len(points) :], minlength=n_clusters)
    order_K = _order(np.bincount(owner_N, minlength=n_clusters), labels_K)[:batch_size]
    return _turns(points, [np.flatnonzero(owner_N == cluster) for cluster in order_K], neighbours, batch_size)


def _order(sizes_K: NDArray[Any], labels_K: NDArray[Any]) -> NDArray[Any]:
    """Orders the clusters that have candidates: small ones last, few labels first, then large ones first."""
    order_K: NDArray[Any] = np.lexsort((-sizes_K, labels_K, sizes_K < SMALL))
    return np.asarray(order_K[sizes_K[order_K] > 0])


def _turns(points: Points, clusters: list[NDArray[Any]], neighbours: int, batch_size: int) -> Selection:
    """Lets each cluster give its most typical candidate, and goes round again while there are too few."""
    rows, worth, turns = [], [], []
    for rows_n in clusters:
        typical_n = typicality(points[torch.from_numpy(rows_n)], neighbours)
        order_n = typical_n.argsort(descending=True, stable=True)
        rows.append(torch.from_numpy(rows_n)[order_n])
        worth.append(typical_n[order_n])
        turns.append(torch.arange(len(rows_n)))
    order = torch.cat(turns).argsort(stable=True)[:batch_size]
    return Selection(torch.cat(rows)[order], torch.cat(worth)[order])


def typicality(points: Points, neighbours: int) -> Tensor:
    """Computes 1 / (mean distance to the nearest + 1e-5); at most half of the points are looked at."""
    nearest = min(neighbours, len(points) // 2)
    if nearest == 0:
        return torch.zeros_like(points.squares_N)
    means = []
    for block in blocks(len(points), len(points)):
        squared = squared_distances(points[block], points)
        squared.diagonal(block.start).fill_(torch.inf)
        means.append(squared.topk(nearest, largest=False).values.sqrt().mean(1))
    return 1 / (torch.cat(means) + 1e-5)
