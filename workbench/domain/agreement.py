"""How far annotators agree beyond chance. Pure; an item is the mapping of its annotators to their answers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import sqrt
from typing import NamedTuple

from workbench.domain.intervals import Interval, Z, wilson

Answers = Mapping[str, str]


class Agreement(NamedTuple):
    """A coefficient with its 95 % interval: 1 is perfect, 0 is what chance gives.

    ``n`` counts items that at least two people answered. The value is None where there is nothing to
    compare, or where everybody always gave one and the same answer: chance alone explains that.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class _Unit(NamedTuple):
    """An item that several people answered: how often each answer was given, and how much they differ."""

    counts: Mapping[str, int]
    size: int
    disagreement: float


def krippendorff_alpha(items: Iterable[Answers]) -> Agreement:
    """Compute Krippendorff's alpha for nominal data, with missing answers.

    alpha = 1 − D_observed / D_expected (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).
    Items that fewer than two people answered do not count. The interval is the jackknife's over items; where
    all agreed or all differed nothing varies, and it is Wilson's of the share of items. O(answers).
    """
    units = [_unit(answers) for answers in items if len(answers) > 1]
    total: Counter[str] = Counter()
    for unit in units:
        total.update(unit.counts)
    n = sum(total.values())
    squares = sum(count * count for count in total.values())
    observed = sum(unit.disagreement for unit in units)
    value = _alpha(n, squares, observed)
    if value is None:
        return Agreement(None, None, None, len(units))
    if observed in (0.0, n):
        agreed = wilson(0 if observed else len(units), len(units))
        return Agreement(value, *_beyond(agreed, (n * n - squares) / (n * (n - 1))), len(units))
    without = [
        left for unit in units if (left := _alpha_without(unit, total, n, squares, observed)) is not None
    ]
    return Agreement(value, *_jackknife(value, without), len(units))


def _unit(answers: Answers) -> _Unit:
    counts = Counter(answers.values())
    size = len(answers)
    differing = size * size - sum(count * count for count in counts.values())
    return _Unit(counts, size, differing / (size - 1))


def _alpha(n: int, squares: int, observed: float) -> float | None:
    """From the number of answers, the sum of squares of how often each was given, and all disagreement."""
    expected = n * n - squares
    return None if expected == 0 else 1 - (n - 1) * observed / expected


def _alpha_without(
    unit: _Unit, total: Mapping[str, int], n: int, squares: int, observed: float
) -> float | None:
    fewer = sum(total[a] ** 2 - (total[a] - count) ** 2 for a, count in unit.counts.items())
    return _alpha(n - unit.size, squares - fewer, observed - unit.disagreement)


def _jackknife(value: float, without: Sequence[float]) -> tuple[float, float]:
    """Tukey's interval from the values that leave one item out each; everything where there are too few."""
    n = len(without)
    if n < 2:
        return -1.0, 1.0
    mean = sum(without) / n
    reach = Z * sqrt((n - 1) / n * sum((left - mean) ** 2 for left in without))
    return max(-1.0, value - reach), min(1.0, value + reach)


def _beyond(agreed: Interval, expected: float) -> tuple[float, float]:
    """An interval of agreement as one beyond chance, by which ``expected`` of all pairs differ."""
    low, high = (1 - (1 - end) / expected for end in agreed)
    return max(-1.0, low), min(1.0, high)


def cohen_kappa(pairs: Iterable[tuple[str, str]]) -> Agreement:
    """Compute Cohen's kappa of two people from their answers to the same items.

    kappa = (p_observed − p_chance) / (1 − p_chance); the interval is from the large-sample variance of
    Fleiss, Cohen and Everitt (1969, https://doi.org/10.1037/h0028106); where they always or never agreed,
    Wilson's of the share.
    """
    table = Counter(pairs)
    n = sum(table.values())
    classes = sorted({name for pair in table for name in pair})
    first = {a: sum(table[a, b] for b in classes) / n for a in classes}
    second = {b: sum(table[a, b] for a in classes) / n for b in classes}
    observed = sum(table[a, a] for a in classes) / n if n else 0.0
    chance = sum(first[a] * second[a] for a in classes)
    if n == 0 or chance == 1:
        return Agreement(None, None, None, n)
    kappa = (observed - chance) / (1 - chance)
    agreed = sum(table[a, a] for a in classes)
    if agreed in (0, n):
        return Agreement(kappa, *_beyond(wilson(agreed, n), 1 - chance), n)
    same = sum(table[a, a] / n * (1 - (first[a] + second[a]) * (1 - kappa)) ** 2 for a in classes)
    other = sum(table[a, b] / n * (second[a] + first[b]) ** 2 for a in classes for b in classes if a != b)
    variance = (same + (1 - kappa) ** 2 * other - (kappa - chance * (1 - kappa)) ** 2) / (
        n * (1 - chance) ** 2
    )
    reach = Z * sqrt(max(0.0, variance))
    return Agreement(kappa, max(-1.0, kappa - reach), min(1.0, kappa + reach), n)


class PairAgreement(NamedTuple):
    """Two people's kappa."""

    first: str
    second: str
    kappa: Agreement


def pairwise_kappa(items: Iterable[Answers]) -> Iterator[PairAgreement]:
    """Compare every two people who answered an item in common, by name."""
    shared: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for answers in items:
        for first, second in combinations(sorted(answers), 2):
            shared.setdefault((first, second), []).append((answers[first], answers[second]))
    for (first, second), pairs in sorted(shared.items()):
        yield PairAgreement(first, second, cohen_kappa(pairs))
