"""Did choosing beat drawing lots? Said only when the data shows it."""

from dataclasses import dataclass

from workbench.domain.intervals import Interval, newcombe
from workbench.domain.records import Project
from workbench.reports.tables import budget_curve
from workbench.storage.store import Transaction

NAME = "verdict"
TITLE = "Choosing against random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The difference in accuracy at equal labels, with its 95 % interval, and what it means in words."""

    labels: int
    difference: float
    low: float
    high: float
    verdict: str


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a round that has a control; intervals of a difference of proportions (Newcombe 1998).

    Both models are measured on the same items, so the true interval is narrower: this errs on the side
    of not claiming.
    """
    return [_row(point) for point in budget_curve.rows(tx, project) if point.control_accuracy is not None]


def _row(point: budget_curve.Row) -> Row:
    a, b = point.accuracy, point.control_accuracy
    low_a, high_a, low_b, high_b = (
        point.accuracy_low,
        point.accuracy_high,
        point.control_low,
        point.control_high,
    )
    assert a is not None
    assert b is not None
    assert low_a is not None
    assert high_a is not None
    assert low_b is not None
    assert high_b is not None
    low, high = newcombe(a, Interval(low_a, high_a), b, Interval(low_b, high_b))
    return Row(labels=point.labels, difference=a - b, low=low, high=high, verdict=_words(low, high))


def _words(low: float, high: float) -> str:
    if low > 0:
        return "choosing was better"
    if high < 0:
        return "random was better"
    return "not shown"
