"""What was spent after each round and what it had bought, beside other models on the same items."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.domain.intervals import wilson
from workbench.domain.records import BudgetPoint, Metric
from workbench.reports.arms import Side, Sides, side_by_side
from workbench.reports.outlook import accuracies
from workbench.reports.units import Count, Money, RoundNumber, Seconds, Share
from workbench.storage.facts.facts import Facts

CONTROL_ACCURACY = "control_accuracy"
SHARE_ALONE, ALL_LABELS = "the random share alone", "all labels of the pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One point of the curve. Intervals are 95 %; seconds and cost are of people; totals since the start."""

    round: RoundNumber
    labels: Count
    annotations: Count
    seconds: Seconds
    cost: Money
    accuracy: Share | None
    accuracy_low: Share | None
    accuracy_high: Share | None
    control_accuracy: Share | None
    control_low: Share | None
    control_high: Share | None
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A model that was trained for comparison, on the same held-out items."""

    trained_on: str
    round: RoundNumber
    labels: Count
    accuracy: Share
    low: Share
    high: Share
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A budget curve with all that stands beside it.

    Attributes:
        measured_on: In words: held-out items, or random picks.
    """

    rows: Sequence[Row]
    beside: Sequence[Beside]
    target: float | None
    currency: str
    measured_on: str

    @property
    def measured(self) -> list[Row]:
        """Rounds with an accuracy."""
        return [row for row in self.rows if row.accuracy is not None]

    @property
    def random(self) -> list[Row]:
        """Rounds with a random arm."""
        return [row for row in self.measured if row.control_accuracy is not None]

    @property
    def ceiling(self) -> Beside | None:
        """The model of all labels."""
        return next((row for row in reversed(self.beside) if row.trained_on == ALL_LABELS), None)


def bought(facts: Facts) -> Bought:
    """Read the curve."""
    metrics = facts.points.metrics()
    control = random_by_round(metrics)
    terms = facts.terms.now()
    return Bought(
        rows=[_row(point, control.get(point.round_number)) for point in accuracies(facts)],
        beside=_beside(side_by_side(facts.predictions.hits())),
        target=terms.target,
        currency=terms.currency,
        measured_on=_measured_on(metrics),
    )


def random_by_round(metrics: Sequence[tuple[int, Metric]]) -> dict[int, Metric]:
    """What the random arm was measured to be, by round."""
    return {number: metric for number, metric in metrics if metric.name == CONTROL_ACCURACY}


def _row(point: BudgetPoint, beside: Metric | None) -> Row:
    return Row(
        round=point.round_number,
        labels=point.labels,
        annotations=point.annotations,
        seconds=point.seconds,
        cost=point.cost,
        accuracy=point.value,
        accuracy_low=point.low,
        accuracy_high=point.high,
        control_accuracy=beside.value if beside else None,
        control_low=beside.low if beside else None,
        control_high=beside.high if beside else None,
        n=point.n,
    )


def _beside(sides: Sides | None) -> list[Beside]:
    if sides is None:
        return []
    arms = ((SHARE_ALONE, sides.control), (ALL_LABELS, sides.ceiling))
    return [row for words, side in arms if side is not None for row in _models(words, side)]


def _models(trained_on: str, side: Side) -> list[Beside]:
    items = side.right_R_N.shape[1]
    found = []
    for number, labels, right in zip(side.rounds, side.labels_R, side.right_R_N.sum(1), strict=True):
        low, high = wilson(int(right), items)
        row = Beside(
            trained_on=trained_on,
            round=number,
            labels=int(labels),
            accuracy=int(right) / items,
            low=low,
            high=high,
            n=items,
        )
        found.append(row)
    return found


def _measured_on(metrics: Sequence[tuple[int, Metric]]) -> str:
    held_out = any((metric.split, metric.name) == ("test", "accuracy") for _, metric in metrics)
    return "held-out items" if held_out else "this round's random picks"
