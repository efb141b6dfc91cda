"""What choosing saved against drawing at random: area, labels at a target, speed-up; each with an interval.

All are functions of two curves, computed for what was measured and for every draw of a bootstrap. Intervals
say what other held-out items would have shown of these very models; that of ``area_difference_of_runs``
alone has the luck of other batches and another training in it, too: it is what a verdict must stand on.
"""

import math
from typing import NamedTuple

import numpy as np

from workbench.reports.statistics.bootstrap import Bounds, Floats, percentile, percentiles
from workbench.reports.statistics.curves import Curve, area, highest, interpolation, needed
from workbench.reports.statistics.luck import luck_of, thinned, with_luck

#: Steps of the logarithm of labels over the range that both arms share.
STEPS = 240
#: Part of that range in which the curves must still lie side by side after one was shifted.
OVERLAP = 1 / 3
#: Less than any difference between shares of items: a level that is a curve's own last one counts as reached.
ROUNDING = 1e-9
#: Draws are kept in single precision: less than this is no difference.
NOTHING = 1e-7


class Estimate(NamedTuple):
    """A value with its interval; None where it lies beyond what the curves cover."""

    value: float | None
    low: float | None
    high: float | None


class Shared(NamedTuple):
    """The range of labels that both arms cover."""

    low: float
    high: float


def shared(active: Curve, random: Curve) -> Shared | None:
    """The range that both curves cover; None where it is empty or one of them is a single point."""
    if min(len(active.labels_R), len(random.labels_R)) < 2:
        return None
    low = max(active.labels_R[0], random.labels_R[0])
    high = min(active.labels_R[-1], random.labels_R[-1])
    return Shared(float(low), float(high)) if low < high else None


def area_of(curve: Curve, over: Shared, level: float) -> Estimate:
    """The normalised area under one curve: its mean accuracy over the range."""
    area_B = area(curve.labels_R, curve.rows, over.low, over.high)
    return _estimate(area_B[0], percentile(area_B[1:], level))


def area_difference(active: Curve, random: Curve, over: Shared, level: float) -> Estimate:
    """Mean accuracy over the range, active minus random: zero where choosing did nothing."""
    gap_B = area(active.labels_R, active.rows, over.low, over.high) - area(
        random.labels_R, random.rows, over.low, over.high
    )
    return _estimate(gap_B[0], percentile(gap_B[1:], level))


def area_difference_of_runs(active: Curve, random: Curve, over: Shared, level: float) -> Estimate:
    """The same, with what other batches and another training would have changed (``luck``)."""
    inner_R = active.labels_R[(active.labels_R >= over.low) & (active.labels_R <= over.high)]
    labels_R = thinned(np.unique([over.low, *inner_R, over.high]))
    gap_B_R = active.rows @ interpolation(active.labels_R, labels_R)
    gap_B_R -= random.rows @ interpolation(random.labels_R, labels_R)
    weight_R = area(labels_R, np.eye(len(labels_R)), over.low, over.high)
    luck = luck_of(labels_R, gap_B_R[0], np.atleast_2d(np.cov(gap_B_R[1:].T)), weight_R)
    area_B = area(active.labels_R, active.rows, over.low, over.high) - area(
        random.labels_R, random.rows, over.low, over.high
    )
    return _estimate(area_B[0], with_luck(float(area_B[0]), float(area_B[1:].var(ddof=1)), luck, level))


def saved_at(active: Curve, random: Curve, target: float, level: float) -> Estimate:
    """Labels that random needed to reach a target minus those that active needed.

    An arm that never reaches it needs more than its last round had: the interval is then open at that end.
    """
    rows = len(active.draws_B_R) + 1
    return _saved(active, random, np.full(rows, target), level)


def saved_at_last(active: Curve, random: Curve, over: Shared, level: float) -> Estimate:
    """The same at what both arms had reached at the end of the range that they share, in each draw anew."""
    active, random = active.upto(over.high), random.upto(over.high)
    reached_B = np.minimum(highest(active.smooth), highest(random.smooth))
    return _saved(active, random, reached_B - ROUNDING, level)


def reached_by_both(active: Curve, random: Curve, over: Shared) -> float:
    """The accuracy that both arms had reached at the end of the range that they share."""
    arms = (active.upto(over.high), random.upto(over.high))
    return float(min(highest(arm.smooth[:1])[0] for arm in arms))


def _saved(active: Curve, random: Curve, target_B: Floats, level: float) -> Estimate:
    by_active = needed(active.labels_R, active.smooth, target_B)
    by_random = needed(random.labels_R, random.smooth, target_B)
    # Where neither reaches it nothing is known: from −∞ to ∞.
    low_B = by_random.low_B - by_active.high_B
    high_B = by_random.high_B - by_active.low_B
    value = float(low_B[0]) if low_B[0] == high_B[0] else None
    return _estimate(value, percentiles(low_B[1:], high_B[1:], level))


def speed_up(active: Curve, random: Curve, over: Shared, level: float) -> Estimate:
    """How many times as many labels random needed: the factor that lays its curve over the active one.

    active(n) = random(s · n) in the mean over those ln n where both are known; 1 / s is the fraction of
    labels that is enough when they are chosen. After Kath, Gouvêa and Sonntag 2026, https://arxiv.org/abs/2602.13359,
    who fit one factor to all rounds. Factors beyond those that leave a third of the range are not told apart.
    """
    log_G: Floats = np.linspace(math.log(over.low), math.log(over.high), STEPS + 1, dtype=np.float64)
    gap_B_K, shift_K = _gaps(_read(active, log_G), _read(random, log_G))
    log_factor_B = _root(gap_B_K, shift_K) * (log_G[1] - log_G[0])
    found = _estimate(float(log_factor_B[0]), percentile(log_factor_B[1:], level))
    return Estimate(*(None if value is None else math.exp(value) for value in found))


def _read(curve: Curve, log_G: Floats) -> Floats:
    return np.asarray(curve.rows @ interpolation(curve.labels_R, np.exp(log_G)))


class _Gaps(NamedTuple):
    gap_B_K: Floats
    shift_K: Floats


def _gaps(active_B_G: Floats, random_B_G: Floats) -> _Gaps:
    """Mean of active(u) − random(u + k) over the u where both are known, for every shift k on the grid."""
    steps = active_B_G.shape[1]
    most = int((1 - OVERLAP) * (steps - 1))
    shift_K = np.arange(-most, most + 1)
    sums_a_B_G, sums_r_B_G = _sums(active_B_G), _sums(random_B_G)
    first_a_K, first_r_K = np.maximum(-shift_K, 0), np.maximum(shift_K, 0)
    size_K = steps - np.abs(shift_K)
    of_active = sums_a_B_G[:, first_a_K + size_K] - sums_a_B_G[:, first_a_K]
    of_random = sums_r_B_G[:, first_r_K + size_K] - sums_r_B_G[:, first_r_K]
    gap_B_K = (of_active - of_random) / size_K
    # What arithmetic leaves of no difference has no sign.
    return _Gaps(np.where(np.abs(gap_B_K) < NOTHING, 0.0, gap_B_K), shift_K.astype(np.float64))


def _sums(values_B_G: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values_B_G), 1)), np.cumsum(values_B_G, axis=1)], axis=1)


def _root(gap_B_K: Floats, shift_K: Floats) -> Floats:
    """The shift nearest to none at which the gap changes its sign; infinite where it never does.

    Curves that are flat and the same are not shifted: any factor would do.
    """
    rising_B_K = (gap_B_K[:, :-1] > 0) & (gap_B_K[:, 1:] <= 0)
    distance_K = np.abs(shift_K[:-1] + 0.5)
    k_B = np.where(rising_B_K, distance_K, np.inf).argmin(1)
    rows = np.arange(len(gap_B_K))
    before_B, after_B = gap_B_K[rows, k_B], gap_B_K[rows, k_B + 1]
    found_B = shift_K[k_B] + before_B / np.where(before_B > after_B, before_B - after_B, 1.0)
    unshifted_B = gap_B_K[:, len(shift_K) // 2]
    never_B = np.where(unshifted_B == 0, 0.0, np.copysign(np.inf, unshifted_B))
    return np.where(rising_B_K.any(1), found_B, never_B)


def _estimate(value: float | None, bounds: Bounds) -> Estimate:
    return Estimate(_finite(value), _finite(bounds.low), _finite(bounds.high))


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
