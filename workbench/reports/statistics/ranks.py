"""How well one order agrees with another: areas under ROC curves, rank correlation, what is out of place."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import atanh, sqrt, tanh

import numpy as np
from numpy.typing import NDArray

from workbench.domain.intervals import Interval, Z

_HALVINGS = 60


def area_interval(area: float, positives: int, negatives: int) -> Interval:
    """Compute the 95 % interval of an area under the ROC curve from the area and two counts.

    The ends are those areas that are Z of their own standard errors away, so an area of 1 has an interval,
    too. Newcombe 2006, method 5, https://doi.org/10.1002/sim.2324; the standard error of Hanley and McNeil
    1982, https://doi.org/10.1148/radiology.143.1.7063747, made symmetric.
    """

    def far(theta: float) -> float:
        return abs(area - theta) - Z * sqrt(_variance(theta, positives, negatives))

    return Interval(_root(far, 0.0, area), _root(far, 1.0, area))


def spearman(first: Sequence[float], second: Sequence[float]) -> tuple[float, Interval] | None:
    """Compute the rank correlation with its 95 % interval; None of fewer than four pairs or without order.

    The interval: Fisher's z with the standard error of Bonett and Wright 2000,
    https://doi.org/10.1007/BF02294183.
    """
    n = len(first)
    ranks = np.array([_ranks(first), _ranks(second)]) if n >= 4 else np.ones((2, 1))
    if (ranks.std(1) == 0).any():
        return None
    value = float(np.clip(np.corrcoef(ranks)[0, 1], -1, 1))
    if abs(value) > 1 - 1e-12:
        value = float(round(value))
        return value, Interval(value, value)
    reach = Z * sqrt((1 + value**2 / 2) / (n - 3))
    return value, Interval(tanh(atanh(value) - reach), tanh(atanh(value) + reach))


def out_of_place(order: Sequence[float]) -> int:
    """Count how many things would have to be moved to put an order right: the least number, ties are right.

    All but the longest part that does not fall; O(n log n), Fredman 1975,
    https://doi.org/10.1016/0012-365X(75)90103-X.
    """
    ends: list[float] = []
    for value in order:
        # The first end above it: equal values stand side by side.
        place = bisect_left(ends, np.nextafter(value, np.inf))
        ends[place : place + 1] = [value]
    return len(order) - len(ends)


def _variance(theta: float, positives: int, negatives: int) -> float:
    middle = (positives + negatives) / 2 - 1
    spread = 1 + middle * (1 - theta) / (2 - theta) + middle * theta / (1 + theta)
    return theta * (1 - theta) * spread / (positives * negatives)


def _root(far: Callable[[float], float], outside: float, inside: float) -> float:
    """Where ``far`` changes its sign between a point that is too far and one that is not."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if far(middle) > 0 else (outside, middle)
    return inside


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the middle one. Without scipy.stats, which takes long to load."""
    _, place, size = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - (size - 1) / 2
    return np.asarray(middle[place], np.float64)
