"""The verdict says "not shown" unless the interval keeps off zero."""

from dataclasses import replace

import pytest

from workbench.domain.intervals import wilson
from workbench.reports.tables import budget_curve
from workbench.reports.tables.verdict import _row


def _point(right: int, control: int, n: int) -> budget_curve.Row:
    low, high = wilson(right, n)
    control_low, control_high = wilson(control, n)
    return budget_curve.Row(
        round=1,
        labels=40,
        annotations=40,
        seconds=1.0,
        cost=1.0,
        accuracy=right / n,
        accuracy_low=low,
        accuracy_high=high,
        control_accuracy=control / n,
        control_low=control_low,
        control_high=control_high,
        n=n,
    )


@pytest.mark.parametrize(
    ("right", "control", "n", "words"),
    [
        (90, 88, 100, "not shown"),
        (95, 60, 100, "choosing was better"),
        (60, 95, 100, "random was better"),
        (900, 850, 1000, "choosing was better"),
        (9, 8, 10, "not shown"),
    ],
)
def test_known_cases(right: int, control: int, n: int, words: str) -> None:
    row = _row(_point(right, control, n))
    assert row.verdict == words
    assert row.low <= row.difference <= row.high


def test_the_interval_is_newcombes() -> None:
    """Newcombe (1998), table II, method 10, case (a): 56/70 against 48/80."""
    low, high = wilson(56, 70)
    control_low, control_high = wilson(48, 80)
    point = replace(
        _point(1, 1, 2),
        accuracy=56 / 70,
        accuracy_low=low,
        accuracy_high=high,
        control_accuracy=48 / 80,
        control_low=control_low,
        control_high=control_high,
    )
    row = _row(point)
    assert (round(row.low, 4), round(row.high, 4)) == (0.0524, 0.3339)
