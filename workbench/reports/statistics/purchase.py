"""What more labels buy: accuracy, with its interval, for money."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.reports.statistics.forecast import band_of

Floats = NDArray[np.float64]


class Purchase(NamedTuple):
    """So many more labels, and what is expected of them.

    Attributes:
        labels: How many more.
        cost: In the currency of the terms; None where nothing is known of the pace.
    """

    labels: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    gain: float
    gain_low: float
    gain_high: float
    cost: float | None


def purchase_of(now_D: Floats, then_D: Floats, labels: int, cost: float | None, level: float) -> Purchase:
    """Compare D curves now and after more labels, each with itself: what is common drops out."""
    low, middle, high = band_of(then_D, level)
    gain_low, gain, gain_high = band_of(then_D - now_D, level)
    return Purchase(
        labels=labels,
        accuracy=float(middle),
        accuracy_low=float(low),
        accuracy_high=float(high),
        gain=float(gain),
        gain_low=float(gain_low),
        gain_high=float(gain_high),
        cost=cost,
    )
