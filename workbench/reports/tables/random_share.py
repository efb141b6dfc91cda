"""How good the model was on items that nobody chose: each round's random picks, before it learnt from them.

Unbiased for the pool as it was in that round. A fall says that the pool has drifted, or that what is left is
harder. The last row takes all rounds together.
"""

from dataclasses import dataclass

from workbench.domain.intervals import wilson
from workbench.domain.records import Metric, Project
from workbench.storage.store import Transaction

NAME = "random_share"
TITLE = "Accuracy on the random share, before learning from it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round, or all of them; the interval is Wilson's at 95 %."""

    rounds: str
    n: int
    accuracy: float
    low: float
    high: float


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a round with a labeled random pick, and one for all together."""
    found = [
        (number, metric)
        for number, metric in tx.results.metrics(project.id)
        if (metric.split, metric.name) == ("control", "accuracy")
    ]
    own = [_row(str(number), metric) for number, metric in found]
    return [*own, _together([metric for _, metric in found])] if len(own) > 1 else own


def _row(rounds: str, metric: Metric) -> Row:
    return Row(rounds=rounds, n=metric.n, accuracy=metric.value, low=metric.low, high=metric.high)


def _together(metrics: list[Metric]) -> Row:
    n = sum(metric.n for metric in metrics)
    right = round(sum(metric.value * metric.n for metric in metrics))
    low, high = wilson(right, n)
    return Row(rounds="all", n=n, accuracy=right / n, low=low, high=high)
