"""Normal distributions that are cut off at both ends, also far out in their tails."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

Floats = NDArray[np.float64]
#: Standard errors beyond which nothing is told apart.
FARTHEST = 1e6
TINY = 1e-300


class Truncated(NamedTuple):
    """A value of each distribution, and the logarithm of the mass between its ends."""

    value: Floats
    log_mass: Floats


def truncated_normal(mean: Floats, error: Floats, low: Floats, high: Floats, at: Floats) -> Truncated:
    """Compute the quantile ``at`` of normals that are cut off below ``low`` and above ``high``.

    Args:
        mean: Of the whole normal.
        error: Its standard deviation.
        low: The lower end, below ``high``.
        high: The upper end.
        at: Between 0 and 1; uniform numbers make draws.
    """
    start = np.clip((low - mean) / error, -FARTHEST, FARTHEST)
    end = np.clip((high - mean) / error, -FARTHEST, FARTHEST)
    # In the left tail logarithms keep their digits: what lies right of the middle is mirrored.
    mirrored = start > 0
    start, end = np.where(mirrored, -end, start), np.where(mirrored, -start, end)
    below, above = log_ndtr(start), log_ndtr(end)
    gap = np.exp(below - above)
    share = np.where(mirrored, 1 - at, at)
    standard = ndtri_exp(above + np.log(np.maximum(share + (1 - share) * gap, TINY)))
    value = mean + error * np.where(mirrored, -standard, standard)
    log_mass = above + np.log(np.maximum(-np.expm1(below - above), TINY))
    return Truncated(np.clip(value, low, high), log_mass)
