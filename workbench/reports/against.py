"""The curve of choosing and that of drawing at random, ready to be compared; or why they can not be.

Where the truth of the pool is known, a random arm has as many labels as the active one, and both are
resampled by the same items. Else models of the random share alone, of far fewer labels, are continued to as
many labels by families of learning curves: their draws hold the uncertainty of the shape, too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.arms import Arm
from workbench.domain.seeds import derive_seed
from workbench.reports.arms import Side, Sides
from workbench.reports.statistics.bootstrap import DRAWS, item_weights, resampled
from workbench.reports.statistics.curves import Curve, curve_of
from workbench.reports.statistics.forecast import LEAST_POINTS, fit_curve
from workbench.reports.words import count

#: How far beyond the labels of the active arm the continued curve is looked at.
BEYOND, STEPS = 4.0, 40


class Pair(NamedTuple):
    """Both curves, each draw of the one beside that of the other."""

    active: Curve
    random: Curve
    #: ``RANDOM`` where it was measured, ``CONTROL`` where it was continued.
    against: Arm
    #: How many labels the random models had, at least and at most.
    fewest: int
    most: int
    items: int


def pair(sides: Sides, seed: int) -> Pair | str:
    """Resample both curves; in words why not, where something is missing."""
    if len(np.unique(sides.active.labels_R)) < 2:
        return "one measured round makes no curve: close one more"
    weights_B_N = item_weights(sides.items, DRAWS, seed=derive_seed(seed, "held-out items"))
    if sides.random is not None and len(np.unique(sides.random.labels_R)) > 1:
        return _pair(sides, weights_B_N, _resampled(sides.random, weights_B_N), Arm.RANDOM, sides.random)
    if sides.control is None:
        return "there is no model of the random share yet to compare with"
    random = continued(sides.control, sides.active, seed)
    return (
        random if isinstance(random, str) else _pair(sides, weights_B_N, random, Arm.CONTROL, sides.control)
    )


def _pair(sides: Sides, weights_B_N: NDArray[np.float32], random: Curve, against: Arm, of: Side) -> Pair:
    return Pair(
        active=_resampled(sides.active, weights_B_N),
        random=random,
        against=against,
        fewest=int(of.labels_R.min()),
        most=int(of.labels_R.max()),
        items=sides.items,
    )


def _resampled(side: Side, weights_B_N: NDArray[np.float32]) -> Curve:
    return curve_of(side.labels_R, side.share_R, resampled(side.right_R_N.T, weights_B_N))


def continued(control: Side, active: Side, seed: int) -> Curve | str:
    """Continue the models of the random share to as many labels as the active arm has, and beyond."""
    fitted = fit_curve(
        control.labels_R,
        control.right_R_N.sum(1),
        np.full(len(control.rounds), control.right_R_N.shape[1]),
        overlap=control.overlap,
        draws=DRAWS,
        seed=derive_seed(seed, "random share") % 2**32,
    )
    if fitted is None:
        missing = LEAST_POINTS - len(np.unique(control.labels_R))
        return (
            f"the random share has too few models for a curve; {count(missing, 'more round')} with random "
            f"picks will do"
        )
    last = float(active.labels_R.max())
    labels_L = np.unique([*active.labels_R[active.labels_R > 0], *np.geomspace(last, BEYOND * last, STEPS)])
    draws_D_L = fitted.at(labels_L)
    return curve_of(labels_L, np.median(draws_D_L, axis=0), draws_D_L)
