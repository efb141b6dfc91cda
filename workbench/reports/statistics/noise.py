"""How many answers are wrong, estimated from known answers or from how often people differ."""

from math import sqrt
from typing import NamedTuple

from workbench.domain.intervals import Interval, wilson


class Noise(NamedTuple):
    """The share of single answers that are wrong, with its 95 % interval, from ``n`` answers or items."""

    value: float
    low: float
    high: float
    n: int


def from_known(wrong: int, n: int) -> Noise:
    """From answers to items whose label is known."""
    return Noise(wrong / n, *wilson(wrong, n), n)


def from_difference(differing: float, n: int, classes: int) -> Noise:
    """From how often two people differ on an item, if they err independently and evenly.

    Two answers agree with probability (1 − e)² + e² / (C − 1), where e is the share of wrong answers among C
    classes; solved for e. The one-coin model of Dawid and Skene (1979, https://doi.org/10.2307/2346806).

    Args:
        differing: Over how many of ``n`` items two people differ.
    """
    ends = Interval(*wilson_of(differing, n))
    value, low, high = (_error(share, classes) for share in (differing / n, *ends))
    return Noise(value, low, high, n)


def as_by_chance(differing: float, n: int, classes: int) -> bool:
    """Whether people may differ as often as if they guessed: then nothing says how many of them are wrong."""
    return wilson_of(differing, n).high >= (classes - 1) / classes


def wilson_of(differing: float, n: int) -> Interval:
    """Wilson's interval for a number of items that need not be whole: of several pairs a part may differ."""
    low, high = wilson(int(differing), n), wilson(min(n, int(differing) + 1), n)
    part = differing - int(differing)
    return Interval(low.low + part * (high.low - low.low), low.high + part * (high.high - low.high))


def _error(differing: float, classes: int) -> float:
    """The share of wrong answers at which two people differ so often; at most as many as by chance."""
    most = (classes - 1) / classes
    return most * (1 - sqrt(max(0.0, 1 - differing / most)))
