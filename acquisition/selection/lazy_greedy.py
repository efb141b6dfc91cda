"""Lazy greedy: the exact greedy choice for gains that only fall, looking again at few candidates per step.

A gain from an earlier step is an upper bound of the gain now (submodularity), so candidates are looked at
again in the order of their bounds, until the best exact gain is at least the next bound (Minoux 1978). Of
equal gains the lowest index among those looked at wins. At worst every candidate is looked at in every step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from acquisition.types import Selection

FIRST_LOOK = 32
LARGEST_LOOK = 512


def lazy_greedy(
    bounds_N: Tensor,
    gains: Callable[[Tensor], Tensor],
    take: Callable[[int], None],
    at_most: int,
    *,
    above: float = -torch.inf,
) -> Selection:
    """Chooses greedily.

    Args:
        bounds_N: Upper bounds of the first gains; minus infinity for who may not be chosen.
        gains: Computes the gains, as they are now, of the rows that it is given.
        take: Is told of each choice before the next gains are asked for.
        at_most: How many to choose.
        above: Stops early where no gain is above this.
    """
    bounds_N = bounds_N.clone()
    chosen: list[int] = []
    worth = bounds_N.new_empty(at_most)
    while len(chosen) < at_most:
        best = _best(bounds_N, gains)
        if float(bounds_N[best]) <= above:
            break
        worth[len(chosen)] = bounds_N[best]
        bounds_N[best] = -torch.inf
        chosen.append(best)
        take(best)
    indices = torch.tensor(chosen, dtype=torch.long, device=bounds_N.device)
    return Selection(indices, worth[: len(chosen)].float())


def _best(bounds_N: Tensor, gains: Callable[[Tensor], Tensor]) -> int:
    """Finds the best candidate and writes the gains that it looked at into the bounds."""
    order = bounds_N.argsort(descending=True, stable=True)
    start, width, best, most = 0, FIRST_LOOK, -1, -torch.inf
    while start < len(order) and float(bounds_N[order[start]]) > most:
        rows = order[start : start + width]
        rows = rows[bounds_N[rows] > -torch.inf].sort().values
        fresh = gains(rows).to(bounds_N)
        bounds_N[rows] = fresh
        place = int(fresh.argmax())
        if float(fresh[place]) > most:
            best, most = int(rows[place]), float(fresh[place])
        start, width = start + width, min(2 * width, LARGEST_LOOK)
    return best
