"""MaxHerding: the candidate that most raises how well the pool is covered by a kernel, again and again.

Formula: coverage = (1/N) Σ_i max_{c ∈ labeled ∪ chosen} exp(−|x_i − c|² / (2 bandwidth²)); greedy, so within
1 − 1/e of the best. 0 ≤ coverage ≤ 1; ``gains`` are its rises, and they only fall. Nothing is random up to
2,000 candidates; above, the seed draws those whose distances give the bandwidth.
Cost: O(N²·D) once for the first gains, then lazily for few candidates per step; memory O(N), no N × N table.
When: small batches and cold starts; unlike ``core_set`` it prefers dense regions, unlike ``prob_cover`` no
radius has to be right. To tune: ``bandwidth``, the distance at which an item stands for another.
Source: Bae et al. 2024, https://arxiv.org/abs/2407.12212.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import generator
from acquisition.selection.distances import Points, blocks, nearest_squared, points_of, squared_distances
from acquisition.selection.lazy_greedy import lazy_greedy
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})
PAIRS_OF = 2_000


def build(*, bandwidth: float | None = None) -> Selector:
    """Returns the selector.

    Args:
        bandwidth: Of the Gaussian kernel, in units of the features; None takes the median distance of two
            candidates.

    Raises:
        InvalidOption: ``bandwidth`` is not above zero.
    """
    if bandwidth is not None and not 0 < bandwidth < float("inf"):
        raise InvalidOption(f"bandwidth is {bandwidth!r}; None or a number above 0 is expected.")
    return partial(choose, bandwidth=bandwidth)


def choose(candidates: Candidates, batch_size: int, *, seed: int, bandwidth: float | None) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the rises of the coverage."""
    assert candidates.features_N_D is not None
    points, labeled = points_of(candidates.features_N_D, candidates.labeled_M_D)
    width = median_distance(points, seed) if bandwidth is None else bandwidth
    covered_N = _kernel(nearest_squared(points, labeled), width)

    def gains(rows: Tensor) -> Tensor:
        similar = _kernel(squared_distances(points[rows], points), width)
        return similar.sub_(covered_N).clamp_min_(0).mean(1)

    def take(row: int) -> None:
        similar_N = _kernel(squared_distances(points[row : row + 1], points)[0], width)
        torch.maximum(covered_N, similar_N, out=covered_N)

    everyone = torch.arange(len(points), device=covered_N.device)
    first_N = torch.cat([gains(everyone[block]) for block in blocks(len(points), len(points))])
    return lazy_greedy(first_N, gains, take, batch_size)


def median_distance(points: Points, seed: int) -> float:
    """Computes the median distance of two candidates; the mean where that is 0, 1 where all are equal."""
    some = points
    if len(points) > PAIRS_OF:
        some = points[
            torch.randperm(len(points), generator=generator(seed))[:PAIRS_OF].to(points.squares_N.device)
        ]
    above = torch.ones(len(some), len(some), dtype=torch.bool, device=some.squares_N.device).triu(1)
    distances = squared_distances(some, some)[above].sqrt()
    if not len(distances):
        return 1.0
    return float(distances.median()) or float(distances.mean()) or 1.0


def _kernel(squared: Tensor, bandwidth: float) -> Tensor:
    return squared.mul_(-0.5 / bandwidth**2).exp_()
