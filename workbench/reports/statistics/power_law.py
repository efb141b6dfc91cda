"""How accuracy may grow with labels: the power law and its relatives, as families of curves.

A curve is accuracy(n) = a − (a − w) · g(n) / g(n₁): from w at the fewest labels n₁ to its ceiling a, where
the shape g falls to 0. Families differ in g; each has one to three numbers of its own, drawn from a box.

- power law, g = (n + d)^(−c): Figueroa et al. 2012, https://doi.org/10.1186/1472-6947-12-8.
- exponential, g = exp(−n / s): in the review of Viering and Loog 2022, https://arxiv.org/abs/2103.10948.
- logistic in log n, g = 1 / (1 + (n / s)^k), and algebraic root, g = 1 − x / (1 + x^k)^(1/k), x = n / s:
  relatives that Mahmood et al. 2022 found to err on the other side, https://arxiv.org/abs/2207.01725.
- PALM, a · (1 − exp(−((n + d) / s)^β)): Machnio et al. 2025, https://arxiv.org/abs/2507.15381, made for
  active learning; their 1 − δ, b, α and β are our s, d and β. Here the start is not free: w follows from a.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Shapes below this are at their ceiling.
SMALLEST = 1e-12


class Axis(NamedTuple):
    """A number of a family: drawn evenly on a logarithmic scale. Labels are in units of the most so far."""

    low: float
    high: float
    #: Cells of the grid along it.
    cells: int

    def value(self, share: Floats) -> Floats:
        """The number at a share of the way from low to high."""
        return np.asarray(self.low * (self.high / self.low) ** share, dtype=np.float64)


class Family(NamedTuple):
    """A family of curves; ``numbers_P_K`` has a row for each of P curves.

    Attributes:
        left: g at labels [P, L], from numbers [P, K]: the share of the way that is left.
        labels_where: The inverse: labels at which g has the values [P].
        tied: Whether the curve starts at 0 and so has no start of its own.
    """

    name: str
    axes: tuple[Axis, ...]
    left: Callable[[Floats, Floats], Floats]
    labels_where: Callable[[Floats, Floats], Floats]
    tied: bool = False
    #: How likely it is before any point is seen, up to a factor.
    weight: float = 1.0


def _power_left(x: Floats, numbers: Floats) -> Floats:
    return np.asarray((x + numbers[:, 1:2]) ** -numbers[:, 0:1])


def _power_where(g: Floats, numbers: Floats) -> Floats:
    return np.asarray(g ** (-1 / numbers[:, 0]) - numbers[:, 1])


def _exponential_left(x: Floats, numbers: Floats) -> Floats:
    return np.exp(-x / numbers[:, 0:1])


def _exponential_where(g: Floats, numbers: Floats) -> Floats:
    return np.asarray(-numbers[:, 0] * np.log(g))


def _logistic_left(x: Floats, numbers: Floats) -> Floats:
    return np.asarray(1 / (1 + (x / numbers[:, 0:1]) ** numbers[:, 1:2]))


def _logistic_where(g: Floats, numbers: Floats) -> Floats:
    return np.asarray(numbers[:, 0] * (1 / g - 1) ** (1 / numbers[:, 1]))


def _root_left(x: Floats, numbers: Floats) -> Floats:
    # (1 + u)^(−1/k) with u = x^−k: keeps its digits where the ceiling is near.
    power = numbers[:, 1:2]
    return np.asarray(-np.expm1(-np.log1p((x / numbers[:, 0:1]) ** -power) / power))


def _root_where(g: Floats, numbers: Floats) -> Floats:
    power = numbers[:, 1]
    return np.asarray(numbers[:, 0] * np.expm1(-power * np.log1p(-g)) ** (-1 / power))


def _palm_left(x: Floats, numbers: Floats) -> Floats:
    return np.exp(-(((x + numbers[:, 2:3]) / numbers[:, 0:1]) ** numbers[:, 1:2]))


def _palm_where(g: Floats, numbers: Floats) -> Floats:
    return np.asarray(numbers[:, 0] * (-np.log(g)) ** (1 / numbers[:, 1]) - numbers[:, 2])


FAMILIES: tuple[Family, ...] = (
    Family("power law", (Axis(0.15, 2.0, 14), Axis(3e-3, 0.7, 5)), _power_left, _power_where, weight=3.0),
    Family("exponential", (Axis(0.05, 5.0, 20),), _exponential_left, _exponential_where, weight=0.5),
    Family("logistic", (Axis(0.005, 5.0, 16), Axis(0.4, 3.0, 6)), _logistic_left, _logistic_where),
    Family("algebraic root", (Axis(0.005, 5.0, 16), Axis(0.4, 3.0, 6)), _root_left, _root_where),
    Family(
        "PALM",
        (Axis(0.005, 10.0, 14), Axis(0.15, 1.5, 6), Axis(1e-3, 1.0, 5)),
        _palm_left,
        _palm_where,
        tied=True,
    ),
)


#: Learning curves are power laws more often than not (Viering and Loog 2022): others have to earn it.
LOG_PRIORS: Floats = np.log([f.weight / sum(other.weight for other in FAMILIES) for f in FAMILIES])


class Shapes(NamedTuple):
    """P shapes of several families: the number of each one's family, and its own numbers, padded with 1."""

    family_P: NDArray[np.intp]
    numbers_P_K: Floats

    def take(self, which: NDArray[np.intp]) -> "Shapes":
        """Some of them."""
        return Shapes(self.family_P[which], self.numbers_P_K[which])


class Columns(NamedTuple):
    """What curves are made of at labels: accuracy = a · ``ceiling`` + w · ``start``; each [P, L]."""

    ceiling: Floats
    start: Floats


def shapes_at(family_P: NDArray[np.intp], share_P_K: Floats) -> Shapes:
    """Make shapes from their families and their places, 0 to 1, along the family's axes."""
    numbers_P_K = np.ones_like(share_P_K)
    for number, family in enumerate(FAMILIES):
        rows = family_P == number
        for place, axis in enumerate(family.axes):
            numbers_P_K[rows, place] = axis.value(share_P_K[rows, place])
    return Shapes(family_P, numbers_P_K)


def columns(shapes: Shapes, first: float, x_L: Floats) -> Columns:
    """Compute both parts of P curves at L numbers of labels."""
    ceiling_P_L = np.empty((len(shapes.family_P), len(x_L)))
    start_P_L = np.zeros_like(ceiling_P_L)
    for number, family in enumerate(FAMILIES):
        rows = np.flatnonzero(shapes.family_P == number)
        left_P_L = family.left(x_L[None, :], shapes.numbers_P_K[rows])
        if not family.tied:
            left_P_L = left_P_L / _at_first(family, shapes.numbers_P_K[rows], first)[:, None]
            start_P_L[rows] = left_P_L
        ceiling_P_L[rows] = 1 - left_P_L
    return Columns(ceiling_P_L, start_P_L)


def labels_where(
    shapes: Shapes, first: float, ceiling_P: Floats, start_P: Floats, target_P: Floats
) -> Floats:
    """Compute where P curves reach their targets; infinity where they never do."""
    found_P = np.empty(len(ceiling_P))
    for number, family in enumerate(FAMILIES):
        rows = np.flatnonzero(shapes.family_P == number)
        numbers_P_K, target = shapes.numbers_P_K[rows], target_P[rows]
        ceiling = np.maximum(ceiling_P[rows], SMALLEST)
        if family.tied:
            wanted_P = 1 - target / ceiling
            highest_P = family.left(np.array([[first]]), numbers_P_K)[:, 0]
        else:
            highest_P = _at_first(family, numbers_P_K, first)
            gap = np.maximum(ceiling - start_P[rows], SMALLEST)
            wanted_P = (ceiling - target) / gap * highest_P
        # Where a curve is above the target from its first labels on, those are the answer.
        inside_P = np.clip(wanted_P, SMALLEST, np.maximum(highest_P, SMALLEST))
        with np.errstate(over="ignore", divide="ignore"):
            where_P = np.maximum(family.labels_where(inside_P, numbers_P_K), first)
        where_P = np.where(wanted_P >= highest_P, first, where_P)
        found_P[rows] = np.where(wanted_P > SMALLEST, where_P, np.inf)
    return found_P


def _at_first(family: Family, numbers_P_K: Floats, first: float) -> Floats:
    return np.maximum(family.left(np.array([[first]]), numbers_P_K)[:, 0], SMALLEST)
