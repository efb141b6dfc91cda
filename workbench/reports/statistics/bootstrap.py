"""The paired bootstrap: what other held-out items would have shown, had they been drawn from the same source.

Every draw weighs the N items anew, the same for all rounds and arms: what rounds have in common because they
are measured on the same items cancels in their differences. Where there are S seeds, seeds are drawn, too.
Efron and Tibshirani 1993, https://doi.org/10.1201/9780429246593. How often the intervals hold the truth is
measured in ``tests/workbench/reports/statistics/test_coverage.py``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: One less than a round number: quantiles then fall on draws.
DRAWS = 999
#: Numbers that are drawn at once: few enough to stay in the cache, which is ten times as quick.
AT_ONCE = 100_000


class Bounds(NamedTuple):
    """Both ends of an interval; infinite where it is open."""

    low: float
    high: float


def item_weights(items: int, draws: int, *, seed: int) -> NDArray[np.float32]:
    """Draw how much each of N items counts in each of B draws [B, N]: as often as it was drawn, over N."""
    rng = np.random.default_rng(seed)
    weights_B_N = np.empty((draws, items), np.float32)
    block = max(1, AT_ONCE // items)
    for first in range(0, draws, block):
        rows = min(block, draws - first)
        drawn_B_N = rng.integers(0, items, (rows, items)) + (np.arange(rows) * items)[:, None]
        counts_BN = np.bincount(drawn_B_N.ravel(), minlength=rows * items)
        weights_B_N[first : first + rows] = counts_BN.reshape(rows, items)
    weights_B_N /= items
    return weights_B_N


def resampled(
    right_N_R: NDArray[Any], weights_B_N: NDArray[np.float32], *, seeds: NDArray[np.float32] | None = None
) -> Floats:
    """Compute the shares of right answers in every draw [B, R].

    Args:
        right_N_R: Whether item N was right in round R; with seeds [S, N, R], all measured on the same items.
        weights_B_N: From ``item_weights``.
        seeds: Weights of the seeds [B, S], from ``item_weights`` of S with another seed; all alike if None.
    """
    if right_N_R.ndim == 2:
        shares_B_R = np.asarray(weights_B_N @ right_N_R.astype(np.float32), np.float64)
        # Weights in single precision may add up to a little more than 1.
        return np.minimum(shares_B_R, 1.0, out=shares_B_R)
    n_seeds = len(right_N_R)
    if seeds is None:
        return resampled(right_N_R.mean(0, dtype=np.float32), weights_B_N)
    shares_S_B_R = np.stack([resampled(right, weights_B_N) for right in right_N_R])
    return np.asarray(np.einsum("bs,sbr->br", seeds[:, :n_seeds], shares_S_B_R))


def percentile(draws_B: Floats, level: float) -> Bounds:
    """Take the interval that leaves (1 − level) / 2 of the draws out at each end; draws may be infinite."""
    return percentiles(draws_B, draws_B, level)


def percentiles(low_B: Floats, high_B: Floats, level: float) -> Bounds:
    """Take the same where each draw itself is only known to lie between two ends."""
    place = max(0, round((len(low_B) + 1) * (1 - level) / 2) - 1)
    return Bounds(float(np.sort(low_B)[place]), float(np.sort(high_B)[-place - 1]))
