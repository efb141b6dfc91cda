"""Intervals of many shares at once, at any level: Wilson's, and Newcombe's of paired differences."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from workbench.reports.statistics.bootstrap import Floats


class Band(NamedTuple):
    """Both ends of R intervals."""

    low_R: Floats
    high_R: Floats


def wilson_band(share_R: Floats, n_R: Floats, level: float) -> Band:
    """Compute Wilson's intervals of shares of n; n need not be whole.

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.
    """
    return wilson_reaching(share_R, n_R, float(ndtri(0.5 + level / 2)))


def wilson_reaching(share_R: Floats, n_R: Floats, z: float) -> Band:
    """Compute the same, ``z`` standard errors to each side."""
    spread_R = z * z / n_R
    centre_R = (share_R + spread_R / 2) / (1 + spread_R)
    reach_R = z / (1 + spread_R) * np.sqrt(share_R * (1 - share_R) / n_R + spread_R / (4 * n_R))
    return Band(np.clip(centre_R - reach_R, 0, 1), np.clip(centre_R + reach_R, 0, 1))


def paired_band(both_R: Floats, first_R: Floats, second_R: Floats, n: int, level: float) -> Band:
    """Compute intervals of the first share minus the second, of the same n items.

    Newcombe 1998, method 10 for paired data, https://doi.org/10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C.

    Args:
        both_R: Share of items that both had right.
        first_R: Share that the first had right.
        second_R: Share that the second had right.
    """
    of_first = wilson_band(first_R, np.full(len(first_R), float(n)), level)
    of_second = wilson_band(second_R, np.full(len(second_R), float(n)), level)
    phi_R = _correlation(both_R, first_R, second_R, n)
    down_first, up_first = first_R - of_first.low_R, of_first.high_R - first_R
    down_second, up_second = second_R - of_second.low_R, of_second.high_R - second_R
    low_R = np.sqrt(down_first**2 - 2 * phi_R * down_first * up_second + up_second**2)
    high_R = np.sqrt(up_first**2 - 2 * phi_R * up_first * down_second + down_second**2)
    gap_R = first_R - second_R
    return Band(gap_R - low_R, gap_R + high_R)


def _correlation(both_R: Floats, first_R: Floats, second_R: Floats, n: int) -> Floats:
    """Newcombe's φ, with his correction for continuity where it is positive."""
    product_R = first_R * (1 - first_R) * second_R * (1 - second_R)
    above_R = both_R - first_R * second_R
    # e·h − f·g over n²; half an n is taken off where it is positive, and not below zero.
    corrected_R = np.where(above_R > 0, np.maximum(above_R - 0.5 / n, 0), above_R)
    return np.where(product_R > 0, corrected_R / np.sqrt(np.where(product_R > 0, product_R, 1)), 0.0)
