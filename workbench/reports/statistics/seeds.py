"""What several seeds of a strategy say together: their mean, and where that of other seeds would lie."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from workbench.reports.statistics.bootstrap import Floats


def mean_interval(values_S: NDArray[Any], level: float, least: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """Compute mean, low and high over the first axis by Student's t (Student 1908); open where S is 1.

    Of shares: nothing lies below ``least`` or above 1. For differences that are paired by seed, give the
    differences, and −1. https://doi.org/10.1093/biomet/6.1.1.
    """
    n = len(values_S)
    mean = values_S.mean(0)
    if n < 2:
        return mean, np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    reach = stdtrit(n - 1, 0.5 + level / 2) * values_S.std(0, ddof=1) / np.sqrt(n)
    return mean, np.maximum(mean - reach, least), np.minimum(mean + reach, 1.0)
