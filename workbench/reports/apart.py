"""How far choosing was ahead of random at equal labels, round by round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.domain.intervals import Interval, newcombe
from workbench.domain.records import BudgetPoint, Metric
from workbench.reports.arms import Sides
from workbench.reports.statistics.proportions import paired_band
from workbench.reports.units import Count, Points, RoundNumber

BETTER, WORSE, NOT_SHOWN = "choosing was better", "random was better", "not shown"
#: Of one round: two models differ, which alone shows nothing of choosing.
CHOSEN_AHEAD, RANDOM_AHEAD = "the model of choosing is ahead", "the model of random is ahead"
PAIRED, TWO_SAMPLES = "item by item", "two samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Accuracy of chosen minus accuracy of random, with its interval, and what it means in words."""

    round: RoundNumber
    labels: Count
    difference: Points
    low: Points
    high: Points
    n: Count
    #: How the interval was made: from the items that only one had right, or from two shares alone.
    by: str
    verdict: str


def verdict(low: float | None, high: float | None, nothing: float = 0.0) -> str:
    """Say what an interval shows; an end that is None is open. ``nothing`` is the value of no difference."""
    if low is not None and low > nothing:
        return BETTER
    return WORSE if high is not None and high < nothing else NOT_SHOWN


def _ahead(low: float, high: float) -> str:
    return {BETTER: CHOSEN_AHEAD, WORSE: RANDOM_AHEAD}.get(verdict(low, high), NOT_SHOWN)


def apart(
    sides: Sides | None,
    points: Sequence[BudgetPoint],
    control: Mapping[int, Metric],
    level: float,
) -> list[Apart]:
    """One row a round that has both, oldest first.

    Args:
        points: The budget curve.
        control: What the random arm was measured to be, by round: for rounds whose predictions were not kept.
    """
    paired = {} if sides is None else {row.round: row for row in _paired(sides, level)}
    rounds = {point.round_number: point for point in points if point.value is not None}
    found = dict(paired)
    for number in rounds.keys() & control.keys() - paired.keys():
        found[number] = _two_samples(rounds[number], control[number])
    return [found[number] for number in sorted(found)]


def _paired(sides: Sides, level: float) -> list[Apart]:
    if sides.random is None:
        return []
    place = {number: row for row, number in enumerate(sides.random.rounds)}
    shared = [(row, place[number]) for row, number in enumerate(sides.active.rounds) if number in place]
    if not shared:
        return []
    rows, others = (np.array(part) for part in zip(*shared, strict=True))
    first_R_N, second_R_N = sides.active.right_R_N[rows], sides.random.right_R_N[others]
    first_R, second_R = first_R_N.mean(1), second_R_N.mean(1)
    band = paired_band((first_R_N & second_R_N).mean(1), first_R, second_R, sides.items, level)
    return [
        Apart(
            round=sides.active.rounds[row],
            labels=int(sides.active.labels_R[row]),
            difference=float(first_R[k] - second_R[k]),
            low=float(band.low_R[k]),
            high=float(band.high_R[k]),
            n=sides.items,
            by=PAIRED,
            verdict=_ahead(band.low_R[k], band.high_R[k]),
        )
        for k, row in enumerate(rows.tolist())
    ]


def _two_samples(point: BudgetPoint, control: Metric) -> Apart:
    """Newcombe's interval of two shares: wider than need be, as both are of the same items. At 95 %."""
    assert point.value is not None
    assert point.low is not None
    assert point.high is not None
    low, high = newcombe(
        point.value, Interval(point.low, point.high), control.value, Interval(control.low, control.high)
    )
    return Apart(
        round=point.round_number,
        labels=point.labels,
        difference=point.value - control.value,
        low=low,
        high=high,
        n=control.n,
        by=TWO_SAMPLES,
        verdict=_ahead(low, high),
    )
