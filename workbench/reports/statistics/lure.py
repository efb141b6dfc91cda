"""LURE: an unbiased accuracy from items that were chosen because the model was unsure of them.

Farquhar, Gal and Rainforth 2021, https://arxiv.org/abs/2101.11665; as active testing: Kossen et al. 2021,
https://arxiv.org/abs/2103.05331. Of a pool of N items M were drawn one after the other, the m-th with
probability q_m among those that were left. Then, with e_m = 1 where the model was wrong,

    error = 1/M Σ_m v_m e_m,   v_m = 1 + (N − M) / (N − m) · (1 / ((N − m + 1) q_m) − 1)

has the pool's error as its mean, whatever the q. Errors are weighed, not hits: wrong items are drawn with
large q, so their weights are small and the sum is quiet.

The interval: error is a weighted mean of a_m = e_m / (N q_m) + Σ_{t<m} e_t / N, each of which has the pool's
error as its mean given all draws before it. So they are uncorrelated, and the variance is that of a weighted
mean of them. It gives the number of random items that would have been as good, and that Wilson's interval.
Where q comes close to 0 for items that the model may have wrong, they are hardly ever seen: it is too narrow.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from workbench.reports.statistics.bootstrap import Floats
from workbench.reports.statistics.proportions import wilson_band


class Weighed(NamedTuple):
    """An unbiased accuracy; ``effective`` random items would have told as much."""

    accuracy: float
    low: float
    high: float
    n: int
    variance: float
    effective: float


def weights(proposal_M: Floats, pool: int) -> Floats:
    """Compute v_m; larger than 1 for items that were unlikely to be drawn."""
    m_M = np.arange(1, len(proposal_M) + 1)
    drawn = len(proposal_M)
    # The whole pool was drawn: nothing was left to chance.
    if drawn >= pool:
        return np.ones(drawn)
    return np.asarray(1 + (pool - drawn) / (pool - m_M) * (1 / ((pool - m_M + 1) * proposal_M) - 1))


def weigh(
    wrong_M: Floats, proposal_M: Floats, pool: int, level: float, *, known_M: NDArray[np.bool_] | None = None
) -> Weighed | None:
    """Estimate the accuracy on a pool of ``pool`` items from M drawn ones, in the order of drawing.

    Args:
        wrong_M: 1 where the model was wrong, else 0; what it says where nothing is known does not count.
        known_M: Which of them have a label; the estimate is then of those items that can be labeled at all,
            as a ratio. All if None.

    Returns:
        None with fewer than two known ones.
    """
    known = np.ones(len(wrong_M), bool) if known_M is None else known_M
    if known.sum() < 2:
        return None
    v_M = weights(proposal_M, pool)
    whole = 1.0 if known.all() else float((v_M * known).mean())
    error = float((v_M * wrong_M * known).mean()) / whole if whole > 0 else 0.0
    # The ratio's deviation is that of wrong − error · known; with all known, that of wrong.
    deviation_M = np.where(known, wrong_M - (0.0 if known.all() else error), 0.0)
    variance = _variance(deviation_M, proposal_M, pool) / max(whole, 1e-9) ** 2
    return _interval(error, variance, v_M[known], level)


def _variance(value_M: Floats, proposal_M: Floats, pool: int) -> float:
    """The variance of Σ v_m value_m / M, from its uncorrelated parts."""
    drawn = len(value_M)
    if drawn >= pool:
        return 0.0
    m_M = np.arange(1, drawn + 1)
    part_M = value_M / (pool * proposal_M) + (np.cumsum(value_M) - value_M) / pool
    share_M = pool * (pool - drawn) / ((pool - m_M) * (pool - m_M + 1)) / drawn
    return float((share_M**2 * (part_M - share_M @ part_M) ** 2).sum() * drawn / (drawn - 1))


def _interval(error: float, variance: float, v_M: Floats, level: float) -> Weighed:
    error = min(max(error, 0.0), 1.0)
    # No error seen, or only errors: the weights alone say what the items are worth (Kish 1965).
    plain = float(v_M.sum() ** 2 / (v_M**2).sum())
    effective = error * (1 - error) / variance if variance > 0 and 0 < error < 1 else plain
    effective = max(effective, 1.0)
    low, high = wilson_band(np.array([1 - error]), np.array([effective]), _widened(level, len(v_M)))
    return Weighed(1 - error, float(low[0]), float(high[0]), len(v_M), variance, effective)


def _widened(level: float, n: int) -> float:
    """The level at which a normal reaches as far as Student's t at ``level``: variances are estimated."""
    return float(2 * ndtr(stdtrit(n - 1, 0.5 + level / 2)) - 1)


def together(found: list[Weighed], level: float) -> Weighed:
    """Take rounds together, each with as much weight as it has items: the mean accuracy of their models."""
    n_K = np.array([one.n for one in found], float)
    share_K = n_K / n_K.sum()
    accuracy = float(share_K @ [one.accuracy for one in found])
    # Where a round shows no error, the others say how many there are.
    spread = accuracy * (1 - accuracy)
    own_K = [one.variance if one.variance > 0 else spread / one.effective for one in found]
    variance = float(share_K**2 @ own_K)
    plain = sum(one.effective for one in found)
    effective = max(spread / variance if variance > 0 else plain, 1.0)
    low, high = wilson_band(np.array([accuracy]), np.array([effective]), _widened(level, int(n_K.sum())))
    return Weighed(accuracy, float(low[0]), float(high[0]), int(n_K.sum()), variance, effective)
