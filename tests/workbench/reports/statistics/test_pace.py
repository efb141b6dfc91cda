"""What a label takes, from what rounds have taken."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from workbench.reports.statistics.pace import ROUNDS, Spent, pace_of
from workbench.reports.statistics.purchase import purchase_of

START = datetime(2026, 3, 2, tzinfo=UTC)


def _spent(*labels: int, seconds: float = 10.0, days: float = 1.0, per_label: int = 2) -> list[Spent]:
    return [
        Spent(n, n * per_label, n * per_label * seconds, START + timedelta(days=days * place))
        for place, n in enumerate(labels, start=1)
    ]


def test_an_even_pace_is_found_with_little_spread() -> None:
    pace = pace_of(_spent(*range(50, 1050, 50)), START, 4000, seed=0)
    assert pace is not None
    assert pace.days_D is not None
    assert np.median(pace.annotations_D) == pytest.approx(2)
    assert np.median(pace.seconds_D) == pytest.approx(20, rel=0.02)
    assert np.median(pace.days_D) == pytest.approx(1 / 50, rel=0.02)
    assert np.std(pace.seconds_D) / 20 < 0.12


def test_an_uneven_pace_spreads_and_one_round_is_doubted() -> None:
    even = pace_of(_spent(*range(50, 1050, 50)), START, 4000, seed=0)
    uneven = pace_of(_spent(10, 20, 400, 410, 420, 900, 905, 910, 1500, 1510), START, 4000, seed=0)
    one = pace_of(_spent(50), START, 4000, seed=0)
    assert even is not None
    assert uneven is not None
    assert one is not None
    assert even.days_D is not None
    assert uneven.days_D is not None
    assert one.days_D is not None
    spread = [np.std(np.log(days)) for days in (even.days_D, one.days_D, uneven.days_D)]
    assert spread[0] < 0.5 * spread[1]
    assert spread[0] < 0.5 * spread[2]


def test_only_the_newest_rounds_tell_the_pace() -> None:
    slow = _spent(10, 20, 30, days=30)
    quick = [
        Spent(30 + 50 * k, 60 + 100 * k, 600 + 1000 * k, slow[-1].at + timedelta(days=k))
        for k in range(1, ROUNDS + 1)
    ]
    pace = pace_of([*slow, *quick], START, 2000, seed=0)
    assert pace is not None
    assert pace.days_D is not None
    assert np.median(pace.days_D) == pytest.approx(1 / 50, rel=0.05)


def test_rounds_without_labels_are_time_that_the_next_ones_took() -> None:
    waited = [
        Spent(50, 50, 500, START + timedelta(days=1)),
        Spent(50, 50, 500, START + timedelta(days=9)),
        Spent(100, 100, 1000, START + timedelta(days=10)),
    ]
    pace = pace_of(waited, START, 4000, seed=0)
    assert pace is not None
    assert pace.days_D is not None
    assert np.median(pace.days_D) == pytest.approx(10 / 100, rel=0.2)


@pytest.mark.parametrize("spent", [[], [Spent(0, 0, 0.0, START)], [Spent(0, 5, 50.0, START)]])
def test_without_a_label_there_is_no_pace(spent: list[Spent]) -> None:
    assert pace_of(spent, START, 100, seed=0) is None


def test_without_time_between_rounds_nothing_is_said_of_days() -> None:
    pace = pace_of([Spent(5, 5, 50, START)], None, 100, seed=0)
    assert pace is not None
    assert pace.days_D is None


def test_a_gain_is_narrower_than_both_its_ends_where_curves_move_together() -> None:
    now_D = np.random.default_rng(0).normal(0.8, 0.02, 5000)
    bought = purchase_of(now_D, now_D + 0.01, 100, 25.0, 0.9)
    assert bought.gain == pytest.approx(0.01)
    assert bought.gain_high - bought.gain_low < 1e-9
    assert bought.accuracy_high - bought.accuracy_low > 0.05
