"""When a target counts as reached, though it is looked at after every round."""

from collections.abc import Sequence

from workbench.domain.records import BudgetPoint, Metric

#: Rounds in a row that have to say so where each is measured on a few random picks of its own: forty looks at
#: a model just below its target would say stop in 30 to 69 of 100 projects, two in a row in 3 at most.
OWN_ITEMS = 2


def looks_needed(newest: int, metrics: Sequence[tuple[int, Metric]]) -> int:
    """How many rounds in a row have to be at the target; one where held-out items are the same for all.

    Args:
        newest: The round of the newest measured point.
        metrics: Every measurement with its round.
    """
    held_out = any((number, metric.split) == (newest, "test") for number, metric in metrics)
    return 1 if held_out else OWN_ITEMS


def sure_low(points: Sequence[BudgetPoint], looks: int) -> float | None:
    """The accuracy that is surely reached: the least lower end of the last rounds; None with too few."""
    lows = [point.low for point in points if point.low is not None][-looks:]
    return min(lows) if len(lows) == looks else None
