"""ProbCover: the candidate whose ball of radius δ covers most of what no ball covers yet, again and again.

Formula: argmax_x |{i uncovered: |x_i − x| < δ}|, greedy, so within 1 − 1/e of the best cover by k balls;
balls around labeled items cover first. ``gains`` are the shares of the candidates that each choice newly
covers; where all are covered before the batch is full, the cover starts over and the gains are 0.
δ by itself: the largest radius at which at least a share ``purity`` of the candidates have nobody of another
k-means cluster in their ball (the paper's rule: clusters stand for classes). The seed is that of k-means;
with ``radius`` given nothing is random.
Cost: O(N²·D) once (twice without ``radius``), then lazily for few candidates per step. Memory: one bit per
pair of candidates, N²/8 bytes (50 MB for 20,000), whatever the radius.
When: cold starts and small batches, on features of a self-supervised or pretrained model. To tune:
``clusters``, the number of classes, or ``radius``, to which it is sensitive; ``max_herding`` is less so.
Source: Yehuda et al. 2022, https://arxiv.org/abs/2205.11320.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.selection.clustering import clustered
from acquisition.selection.distances import Points, blocks, nearest_squared, points_of, squared_distances
from acquisition.selection.lazy_greedy import lazy_greedy
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})
LEAST_CLUSTERS = 10


def build(*, radius: float | None = None, purity: float = 0.95, clusters: int | None = None) -> Selector:
    """Returns the selector.

    Args:
        radius: δ in units of the features; None finds it by ``purity``.
        purity: Least share of the candidates whose ball is to be pure, above 0, at most 1; the paper: 0.95.
        clusters: Number of k-means clusters that stand for classes; None takes the number of classes of the
            log-probabilities where there are some, else the batch size, at least 10.

    Raises:
        InvalidOption: An option outside its range.
    """
    if radius is not None and not 0 < radius < float("inf"):
        raise InvalidOption(f"radius is {radius!r}; None or a number above 0 is expected.")
    if not 0 < purity <= 1:
        raise InvalidOption(f"purity is {purity!r}; a number above 0 and at most 1 is expected.")
    if clusters is not None:
        check_count("clusters", clusters, 2)
    return partial(choose, radius=radius, purity=purity, clusters=clusters)


def choose(
    candidates: Candidates,
    batch_size: int,
    *,
    seed: int,
    radius: float | None,
    purity: float,
    clusters: int | None,
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the shares that they newly cover."""
    assert candidates.features_N_D is not None
    points, labeled = points_of(candidates.features_N_D.cpu(), candidates.labeled_M_D)
    if radius is None:
        n_clusters = clusters or _n_classes(candidates) or max(batch_size, LEAST_CLUSTERS)
        radius = pure_radius(points, clustered(points.rows_N_D.numpy(), n_clusters, seed).owner_N, purity)
    open_N = (nearest_squared(points, labeled).sqrt() >= radius).numpy()
    return _cover(_balls(points, radius), open_N, batch_size)


def pure_radius(points: Points, owner_N: NDArray[Any], purity: float) -> float:
    """Finds the largest radius at which enough open balls are pure; infinity where there is one cluster."""
    owners_N = torch.from_numpy(owner_N)
    nearest_N = torch.empty_like(points.squares_N)
    for block in blocks(len(points), len(points)):
        distances = _distances(points, block)
        distances[owners_N[block, None] == owners_N] = torch.inf
        nearest_N[block] = distances.amin(1)
    impure = min(int((1 - purity) * len(points) + 1e-9), len(points) - 1)
    return float(nearest_N.sort().values[impure])


def _distances(points: Points, block: slice) -> Tensor:
    return squared_distances(points[block], points).sqrt_()


def _balls(points: Points, radius: float) -> NDArray[np.uint8]:
    """Computes who is in whose open ball, one bit per pair; everybody is in the own one."""
    table = np.empty((len(points), (len(points) + 7) // 8), dtype=np.uint8)
    for block in blocks(len(points), len(points)):
        inside = _distances(points, block) < radius
        inside.diagonal(block.start).fill_(value=True)
        table[block] = np.packbits(inside.numpy(), axis=1)
    return table


def _cover(balls: NDArray[np.uint8], open_N: NDArray[Any], batch_size: int) -> Selection:
    """Covers greedily; starts over with everybody uncovered where nobody is left to cover."""
    free_N = np.ones(len(balls), dtype=bool)
    chosen = _one_cover(balls, open_N, free_N, batch_size)
    while len(chosen.indices) < batch_size:
        free_N[chosen.indices.numpy()] = False
        more = _one_cover(balls, np.ones_like(open_N), free_N, batch_size - len(chosen.indices))
        chosen = Selection(
            torch.cat([chosen.indices, more.indices]), torch.cat([chosen.gains, 0 * more.gains])
        )
    return chosen


def _one_cover(
    balls: NDArray[np.uint8], open_N: NDArray[Any], free_N: NDArray[Any], at_most: int
) -> Selection:
    open_bits = np.packbits(open_N)

    def gains(rows: Tensor) -> Tensor:
        newly = np.bitwise_count(balls[rows.numpy()] & open_bits).sum(1, dtype=np.int64)
        return torch.from_numpy(newly / len(balls))

    def take(row: int) -> None:
        np.bitwise_and(open_bits, ~balls[row], out=open_bits)

    everyone = torch.arange(len(balls))
    bounds_N = torch.cat([gains(everyone[block]) for block in blocks(len(balls), len(balls))])
    bounds_N[~torch.from_numpy(free_N)] = -torch.inf
    return lazy_greedy(bounds_N, gains, take, at_most, above=0.0)


def _n_classes(candidates: Candidates) -> int | None:
    return None if candidates.log_probs_T_N_C is None else candidates.log_probs_T_N_C.shape[-1]
