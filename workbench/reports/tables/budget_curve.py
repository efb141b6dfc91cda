"""What was spent after each round, and what it had bought, beside the random control where there is one."""

from dataclasses import dataclass

from workbench.domain.records import Project
from workbench.storage.store import Transaction

NAME = "budget_curve"
TITLE = "Budget curve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One point of the curve. Intervals are 95 %; seconds and cost are of people; totals since the start."""

    round: int
    labels: int
    annotations: int
    seconds: float
    cost: float
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    control_accuracy: float | None
    control_low: float | None
    control_high: float | None
    n: int


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a closed round."""
    control = {
        number: metric
        for number, metric in tx.results.metrics(project.id)
        if metric.name == "control_accuracy"
    }
    found = []
    for point in tx.results.budget_points(project.id):
        beside = control.get(point.round_number)
        found.append(
            Row(
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
        )
    return found
