"""Learning curves of draws: smoothing, area, and the labels that were needed to reach a target.

Rounds are few and jump, as training does. Whatever asks where a curve reaches a level first smooths it by a
local line (Fan and Gijbels 1996, https://doi.org/10.1201/9780203748725), as wide as one round, then takes it
as never falling (isotonic regression: Barlow et al. 1972). Without the smoothing the bootstrap of an isotonic
curve holds the truth too often; measured in decision 0031.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.reports.statistics.bootstrap import Floats

#: Rounds in the standard deviation of the kernel. Wider ones bend where curves are steep.
WIDTH = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Accuracy of R models against labels, as measured and as B other draws of items would have shown it.

    Attributes:
        labels_R: Rising.
    """

    labels_R: Floats
    point_R: Floats
    draws_B_R: Floats

    @cached_property
    def rows(self) -> Floats:
        """What was measured as row 0, then all draws: whatever is computed of them is computed alike."""
        return np.concatenate([self.point_R[None], self.draws_B_R])

    @cached_property
    def smooth(self) -> Floats:
        """The same, smoothed."""
        return smoothed(self.labels_R, self.rows)

    def upto(self, labels: float) -> "Curve":
        """The rounds with at most so many labels."""
        kept_R = self.labels_R <= labels
        if kept_R.all():
            return self
        return curve_of(self.labels_R[kept_R], self.point_R[kept_R], self.draws_B_R[:, kept_R])


def curve_of(labels_R: NDArray[Any], point_R: Floats, draws_B_R: Floats) -> Curve:
    """Put rounds in the order of their labels, equal ones as their mean; without labels nothing is learnt."""
    if labels_R[0] > 0 and (np.diff(labels_R) > 0).all():
        return Curve(labels_R=labels_R.astype(np.float64), point_R=point_R, draws_B_R=draws_B_R)
    found_L, place_R = np.unique(labels_R, return_inverse=True)
    join_R_L = (place_R[:, None] == np.arange(len(found_L))).astype(np.float64)
    join_R_L /= join_R_L.sum(0)
    some_L = found_L > 0
    return Curve(
        labels_R=found_L[some_L].astype(np.float64),
        point_R=(point_R @ join_R_L)[some_L],
        draws_B_R=(draws_B_R @ join_R_L)[:, some_L],
    )


def smoothed(labels_R: Floats, values_B_R: Floats) -> Floats:
    """Smooth curves by local lines: weights by the distance in rounds, lines along the labels' logarithm."""
    if len(labels_R) < 3:
        return values_B_R
    place_R = np.arange(len(labels_R))
    weight_R_R = np.exp(-0.5 * ((place_R[:, None] - place_R) / WIDTH) ** 2)
    log_R = np.log(labels_R)
    gap_R_R = log_R[:, None] - log_R
    sums = [(weight_R_R * gap_R_R**power).sum(0) for power in range(3)]
    smoother_R_R = weight_R_R * (sums[2] - sums[1] * gap_R_R) / (sums[0] * sums[2] - sums[1] ** 2)
    return np.asarray(values_B_R @ smoother_R_R)


class Needed(NamedTuple):
    """Labels that were needed, each between two ends: equal where the curve crosses the target in its range.

    From 0 to the fewest labels where it is reached from the start; from the most labels to infinity where
    never.
    """

    low_B: Floats
    high_B: Floats


def needed(labels_R: Floats, values_B_R: Floats, target_B: Floats) -> Needed:
    """Find where the isotonic regression of B curves reaches targets, between rounds along a line.

    It reaches t in the round k that makes Σ_{i<k} (y_i − t) smallest, so nothing needs to be fitted:
    Groeneboom 1985, https://ir.cwi.nl/pub/13812. O(B R).
    """
    rounds = values_B_R.shape[1]
    sums_B_K = np.zeros((len(values_B_R), rounds + 1))
    np.cumsum(values_B_R, axis=1, out=sums_B_K[:, 1:])
    k_B = (sums_B_K - target_B[:, None] * np.arange(rounds + 1)).argmin(1)
    low_B = np.where(k_B == 0, 0.0, labels_R[-1])
    high_B = np.where(k_B == 0, labels_R[0], np.inf)
    rows = np.flatnonzero((k_B > 0) & (k_B < rounds))
    if len(rows):
        low_B[rows] = high_B[rows] = _crossing(labels_R, sums_B_K[rows], k_B[rows], target_B[rows])
    return Needed(low_B, high_B)


def _crossing(labels_R: Floats, sums_B_K: Floats, k_B: NDArray[np.intp], target_B: Floats) -> Floats:
    """Where a line between the level before round k and that from k on crosses the target.

    Levels of an isotonic regression are extremes of means: of the stretches that end, or begin, there.
    """
    at_B = np.take_along_axis(sums_B_K, k_B[:, None], 1)
    steps_B_K = np.arange(sums_B_K.shape[1]) - k_B[:, None]
    mean_B_K = (sums_B_K - at_B) / np.where(steps_B_K == 0, 1, steps_B_K)
    below_B = np.where(steps_B_K < 0, mean_B_K, -np.inf).max(1)
    above_B = np.where(steps_B_K > 0, mean_B_K, np.inf).min(1)
    step_B = np.where(above_B > below_B, above_B - below_B, 1.0)
    share_B = np.clip((target_B - below_B) / step_B, 0.0, 1.0)
    return np.asarray(labels_R[k_B - 1] + share_B * (labels_R[k_B] - labels_R[k_B - 1]))


def highest(values_B_R: Floats) -> Floats:
    """The last level of the isotonic regression of B curves: the best mean of a last stretch."""
    means_B_R = np.cumsum(values_B_R[:, ::-1], axis=1) / np.arange(1, values_B_R.shape[1] + 1)
    return np.asarray(means_B_R.max(1))


def interpolation(labels_R: Floats, at_G: Floats) -> Floats:
    """Weights [R, G] that read curves at G numbers of labels, along lines; beyond the ends the ends hold."""
    eye_R_R = np.eye(len(labels_R))
    return np.stack([np.interp(at_G, labels_R, row_R) for row_R in eye_R_R])


def area(labels_R: Floats, values_B_R: Floats, low: float, high: float) -> Floats:
    """Compute the area under B curves between two numbers of labels, over its width: a mean accuracy."""
    inner_R = labels_R[(labels_R > low) & (labels_R < high)]
    at_G = np.concatenate([[low], inner_R, [high]])
    weight_G = np.zeros(len(at_G))
    weight_G[1:] += np.diff(at_G) / 2
    weight_G[:-1] += np.diff(at_G) / 2
    return np.asarray(values_B_R @ (interpolation(labels_R, at_G) @ weight_G)) / (high - low)
