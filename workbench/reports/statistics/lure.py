"""LURE: an unbiased accuracy from items that were chosen because the model was unsure of them.

Farquhar, Gal and Rainforth 2021, https://arxiv.org/abs/2101.11665; as active testing: Kossen et al. 2021,
https://arxiv.org/abs/2103.05331. Of a pool of N items M were drawn one after the other, the m-th with
probability q_m among those that were left. Then, with e_m = 1 where the model was wrong,

    error = 1/M Σ_m v_m e_m,   v_m = 1 + (N − M) / (N − m) · (1 / ((N − m + 1) q_m) − 1)

has the pool's error as its mean, whatever the q. Errors are weighed, not hits: wrong items are drawn with
large q, so their weights are small and the sum is quiet.

The interval: error is a weighted mean of a_m = e_m / (N q_m) + Σ_{t<m} e_t / N, each of which has the
pool's error as its mean given all draws before it. So they are uncorrelated, and their squares give the
variance. That overlooks errors of unlikely items, which have large weights and are hardly ever seen; so a
second variance takes for each item how likely it was wrong, given how likely it was drawn (a logistic line),
and the larger one holds. It gives the number of random items that would have been as good, and that Wilson's
interval.

The weights have a mean of 1. Where that of the drawn ones is far below, most of the pool was so unlikely to
be drawn that nothing is known of it: ``represented`` says how much the drawn items stand for. Where it is far
above, one item that was hardly likely to be drawn decides alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from workbench.reports.statistics.bootstrap import Bounds, Floats
from workbench.reports.statistics.proportions import wilson_reaching

#: Below and above these represented shares nothing is shown.
LEAST_REPRESENTED, MOST_REPRESENTED = 0.5, 2.0
#: One drawn item is never worth more than so many random ones.
MOST_WORTH = 5.0
#: Prior on the slope of the logistic line, and steps to find it.
RIDGE, STEPS, LARGEST_STEP = 0.1, 15, 2.0


class Weighed(NamedTuple):
    """An unbiased accuracy; ``effective`` random items would have told as much."""

    accuracy: float
    low: float
    high: float
    n: int
    variance: float
    effective: float
    #: Of the pool; near 1 where the drawn items stand for all of it.
    represented: float

    @property
    def shown(self) -> bool:
        """Whether the drawn items stand for enough of the pool, and none of them for most of it."""
        return LEAST_REPRESENTED <= self.represented <= MOST_REPRESENTED


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
        known_M: Which of them have a label; the estimate is then of those items that can be labeled at all.
            All if None.

    Returns:
        None with fewer than two known ones.
    """
    known = np.ones(len(wrong_M), bool) if known_M is None else known_M
    if known.sum() < 2:
        return None
    v_M = weights(proposal_M, pool)
    wrong = np.where(known, wrong_M, 0.0)
    # Of all items that can be labeled: one minus the share that can not, as that is small and so quiet.
    labelable = float(np.clip(1 - (v_M * ~known).mean(), 0.05, 1.0))
    error = float(np.clip((v_M * wrong).mean() / labelable, 0.0, 1.0))
    deviation_M = np.where(known, wrong, error)
    chance_M = np.where(known, _chances(wrong, np.log(proposal_M), known), error**2)
    variance = max(
        _seen(deviation_M, proposal_M, pool), _expected(chance_M, error * labelable, proposal_M, pool)
    )
    return _interval(error, variance / labelable**2, v_M, int(known.sum()), level)


def _seen(value_M: Floats, proposal_M: Floats, pool: int) -> float:
    """The variance of Σ v_m value_m / M, from its uncorrelated parts."""
    if len(value_M) >= pool:
        return 0.0
    share_M = _shares(len(value_M), pool)
    part_M = value_M / (pool * proposal_M) + (np.cumsum(value_M) - value_M) / pool
    drawn = len(value_M)
    return float((share_M**2 * (part_M - share_M @ part_M) ** 2).sum() * drawn / (drawn - 1))


def _expected(square_M: Floats, mean: float, proposal_M: Floats, pool: int) -> float:
    """The same where of each value only its expected square is known."""
    if len(square_M) >= pool:
        return 0.0
    share_M = _shares(len(square_M), pool)
    return float((share_M**2 * (square_M / (pool * proposal_M) ** 2 - mean**2)).sum())


def _shares(drawn: int, pool: int) -> Floats:
    """How much each a_m counts; they sum to 1."""
    m_M = np.arange(1, drawn + 1)
    return np.asarray(pool * (pool - drawn) / ((pool - m_M) * (pool - m_M + 1)) / drawn)


def _chances(wrong_M: Floats, log_chance_M: Floats, known_M: NDArray[np.bool_]) -> Floats:
    """How likely each item was wrong, by a logistic line along the logarithm of its chance."""
    spread = float(log_chance_M.std())
    x_M = (log_chance_M - log_chance_M.mean()) / (spread if spread > 0 else 1.0)
    x, y = x_M[known_M], wrong_M[known_M]
    at = np.array([logit((y.sum() + 0.5) / (len(y) + 1)), 0.0])
    for _ in range(STEPS):
        p = expit(at[0] + at[1] * x)
        # Half an error and half a hit more keep the line finite.
        slope = np.array([(y - p).sum() + 0.5 - expit(at[0]), ((y - p) * x).sum() - RIDGE * at[1]])
        w = p * (1 - p)
        cross = (w * x).sum()
        bend = np.array([[w.sum() + 0.25, cross], [cross, (w * x * x).sum() + RIDGE]])
        at = at + np.clip(np.linalg.solve(bend, slope), -LARGEST_STEP, LARGEST_STEP)
    return np.asarray(expit(at[0] + at[1] * x_M))


def _interval(error: float, variance: float, v_M: Floats, n: int, level: float) -> Weighed:
    drawn = len(v_M)
    if variance > 0 and 0 < error < 1:
        usual = float(np.clip(error, 0.25 / drawn, 1 - 0.25 / drawn))
        effective = usual * (1 - usual) / variance
    else:
        # No error seen, or only errors: the weights alone say what the items are worth (Kish 1965).
        effective = float(drawn**2 / (v_M**2).sum())
    effective = float(np.clip(effective, 1.0, MOST_WORTH * drawn))
    low, high = _band(1 - error, effective, n, level)
    return Weighed(1 - error, low, high, n, variance, effective, float(v_M.mean()))


def _band(accuracy: float, effective: float, n: int, level: float) -> Bounds:
    """Wilson's interval, as far to each side as Student's t: the variance is estimated from n items."""
    reach = float(stdtrit(n - 1, 0.5 + level / 2))
    band = wilson_reaching(np.array([accuracy]), np.array([effective]), reach)
    return Bounds(float(band.low_R[0]), float(band.high_R[0]))


def together(found: list[Weighed], level: float) -> Weighed:
    """Take rounds together, each with as much weight as it has items: the mean accuracy of their models."""
    n_K = np.array([one.n for one in found], float)
    share_K = n_K / n_K.sum()
    accuracy = float(share_K @ [one.accuracy for one in found])
    # Where a round shows no error, the others say how many there are.
    spread = accuracy * (1 - accuracy)
    own_K = [one.variance if 0 < one.accuracy < 1 else spread / one.effective for one in found]
    variance = float(share_K**2 @ own_K)
    plain = sum(one.effective for one in found)
    effective = max(spread / variance if variance > 0 else plain, 1.0)
    low, high = _band(accuracy, effective, int(n_K.sum()), level)
    # A round that one unlikely item decides makes up for none that stands for little.
    represented = float(share_K @ [min(one.represented, MOST_REPRESENTED) for one in found])
    return Weighed(accuracy, low, high, int(n_K.sum()), variance, effective, represented)
