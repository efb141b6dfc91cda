"""Core-set: the candidate farthest from everything labeled or chosen, again and again (k-center greedy).

Formula: argmax_x min_{c ∈ labeled ∪ chosen} |φ(x) − φ(c)| over the features φ. Without a label the first
choice is the candidate nearest the mean, so nothing is random and the order of the pool matters only for
ties. The largest distance that is left is at most twice the best possible one (Gonzalez 1985). ``gains`` are
the distances at the time of choice; for the first of a cold start, the distance to the farthest candidate.
Cost: O(N·D·k), exact. The choices among the farthest 1,024 need no look at the others while they stay farther
away than these were at last: so many choices share one pass over the features. Memory O(N).
When: features of a good model and a batch that is to leave no region out. Takes outliers first: prefer
``max_herding`` or ``prob_cover`` for a first batch from a noisy pool. Nothing to tune.
Source: Sener and Savarese 2018, https://arxiv.org/abs/1708.00489.
"""

from __future__ import annotations

import torch
from torch import Tensor

from acquisition.selection.distances import Points, nearest_squared, points_of, squared_distances
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})
FARTHEST = 1024


def build() -> Selector:
    """Returns the selector; it has no options."""
    return choose


def choose(candidates: Candidates, batch_size: int, *, seed: int) -> Selection:  # noqa: ARG001 - nothing is random
    """Chooses ``batch_size`` candidates, each the farthest from those before."""
    assert candidates.features_N_D is not None
    points, labeled = points_of(candidates.features_N_D, candidates.labeled_M_D)
    squared_N = nearest_squared(points, labeled)
    if len(labeled):
        return _farthest_first(points, squared_N, batch_size)
    first = points.squares_N.argmin()[None]
    squared_N = squared_distances(points, points[first])[:, 0]
    start = Selection(first, squared_N.max().sqrt()[None])
    squared_N[first] = -1
    rest = _farthest_first(points, squared_N, batch_size - 1)
    return Selection(torch.cat([start.indices, rest.indices]), torch.cat([start.gains, rest.gains]))


def _farthest_first(points: Points, squared_N: Tensor, batch_size: int) -> Selection:
    """Goes on from the distances so far; those of chosen candidates are −1."""
    chosen, gains = squared_N.new_empty(0, dtype=torch.long), squared_N.new_empty(0)
    while len(chosen) < batch_size:
        taken, worth = _among_farthest(points, squared_N, batch_size - len(chosen))
        chosen, gains = torch.cat([chosen, taken]), torch.cat([gains, worth])
        if len(chosen) < batch_size:
            squared_N = torch.minimum(squared_N, nearest_squared(points, points[taken]))
            squared_N[chosen] = -1
    return Selection(chosen, gains.sqrt())


def _among_farthest(points: Points, squared_N: Tensor, at_most: int) -> tuple[Tensor, Tensor]:
    """Chooses among the farthest while the farthest of them is not nearer than all others were."""
    order = squared_N.argsort(descending=True, stable=True)
    rows, others = order[:FARTHEST], order[FARTHEST:]
    near, left = points[rows], squared_N[rows]
    limit = float(squared_N[others[0]]) if len(others) else -torch.inf
    taken: list[int] = []
    worth: list[float] = []
    while len(taken) < at_most and (not taken or float(left.max()) >= limit):
        best = int(left.argmax())
        taken.append(best)
        worth.append(float(left[best]))
        left = torch.minimum(left, squared_distances(near, near[best : best + 1])[:, 0])
        left[taken] = -1
    return rows[taken], left.new_tensor(worth)
