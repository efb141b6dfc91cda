"""95 % intervals of shares and of their differences, and what may be said from them."""

from math import sqrt
from typing import NamedTuple

#: Of 95 % of a normal distribution.
Z = 1.959963984540054


class Interval(NamedTuple):
    """Both ends of a 95 % confidence interval."""

    low: float
    high: float


def wilson(successes: int, n: int) -> Interval:
    """Compute Wilson's 95 % interval of a share; honest also at 0, at 1 and for small n.

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953. Nothing is known without items: (0, 1).
    """
    if n == 0:
        return Interval(0.0, 1.0)
    share, spread = successes / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    reach = Z / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    return Interval(low, 1.0 if successes == n else min(1.0, centre + reach))


def difference(successes: int, n: int, other: int, other_n: int) -> Interval:
    """Compute the 95 % interval of the first share minus the second, of two samples.

    Newcombe 1998, method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    return newcombe(
        successes / n if n else 0.5,
        wilson(successes, n),
        other / other_n if other_n else 0.5,
        wilson(other, other_n),
    )


def newcombe(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Compute the same from two shares and their own intervals."""
    gap = first - second
    return Interval(
        gap - sqrt((first - of_first.low) ** 2 + (of_second.high - second) ** 2),
        gap + sqrt((of_first.high - first) ** 2 + (second - of_second.low) ** 2),
    )


def covers_zero(interval: Interval) -> bool:
    """Say whether a difference of nothing at all would fit, too."""
    return interval.low <= 0 <= interval.high
