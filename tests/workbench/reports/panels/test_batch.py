"""What was picked and why, in which order it was answered, and where the time went."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.records import Reason, TaskKind
from workbench.domain.rounds import RoundState
from workbench.reports.chart import Dots
from workbench.reports.panel import Reading, Tone, View
from workbench.reports.panels.batch import MOST, Batch
from workbench.reports.panels.batch_rounds import CALLED
from workbench.reports.panels.batch_rows import OrderRow
from workbench.reports.panels.batch_words import order
from workbench.storage.store import Store

SMALL = MadeUp(foreseen=0, rounds=3, batch=24, pool=400, test_items=40)


def _read(store: Store, what: MadeUp, days: float = 400, number: int | None = None) -> Reading:
    what.write(store)
    with store.read() as tx:
        project = tx.projects.get(what.name)
        assert project is not None
        return Batch().read(tx.facts(project, START + timedelta(days=days)), View(round=number))


def _stages(row: object) -> dict[str, float]:
    return {stage: getattr(row, f"{stage}_seconds") for stage in CALLED}


def test_the_newest_round_is_shown_pick_by_pick(store: Store) -> None:
    reading = _read(store, SMALL)
    batch, reasons, orders, rounds = reading.tables
    assert [table.name for table in reading.tables] == ["batch", "batch_reasons", "batch_order", "rounds"]
    assert [row.rank for row in batch.rows] == list(range(1, 25))
    assert all(row.answers >= 1 and row.label for row in batch.rows)
    assert {row.reason for row in batch.rows} == {row.reason for row in reasons.rows}
    assert sum(row.n for row in reasons.rows) == 24
    assert sum(row.share for row in reasons.rows) == pytest.approx(1)
    assert [row.round for row in orders.rows] == [2]
    assert [row.round for row in rounds.rows] == [0, 1, 2]
    assert "Round 2 chose 24 items" in reading.findings[0].words
    assert {"batch_scores", "batch_redundancy", "batch_order", "batch_time"} == {
        c.name for c in reading.charts
    }


def test_dots_of_the_parts_of_the_score_are_the_picks(store: Store) -> None:
    reading = _read(store, SMALL)
    chart = next(chart for chart in reading.charts if chart.name == "batch_scores")
    dots = [mark for mark in chart.marks if isinstance(mark, Dots)]
    rows = [row for row in reading.tables[0].rows if row.mutual_information is not None]
    assert sorted(word for mark in dots for word in mark.words) == sorted(row.item for row in rows)
    for mark in dots:
        assert set(mark.words) == {row.item for row in rows if row.reason == mark.name}


def test_another_round_can_be_asked_for_and_one_that_is_not_there_says_so(store: Store) -> None:
    assert "Round 1 chose" in _read(store, SMALL, number=1).findings[0].words
    other = replace(SMALL, name="other")
    missing = _read(store, other, number=9)
    assert missing.findings[0].words == "There is no round 9."
    assert missing.tables[0].rows == []
    assert len(missing.tables[3].rows) == 3


def test_a_coverage_round_has_no_scores_and_is_shown_all_the_same(store: Store) -> None:
    reading = _read(store, SMALL, number=0)
    assert {row.reason for row in reading.tables[0].rows} <= {Reason.COVERAGE, Reason.CONTROL}
    assert "to cover the pool" in reading.findings[0].words
    wanted = next(row for row in reading.tables[1].rows if row.reason == Reason.COVERAGE)
    assert wanted.meaning.startswith("It stands for a region")


def test_a_round_that_failed_before_it_chose_shows_the_one_before_and_its_error(store: Store) -> None:
    what = replace(SMALL, failed=True)
    reading = _read(store, what)
    assert "Round 2 chose" in reading.findings[0].words
    last = reading.tables[3].rows[-1]
    assert (last.round, last.state, last.batch, last.random) == (3, RoundState.FAILED, 24, 0)
    assert "expected 64 columns" in last.error
    assert last.failed_seconds > 300 * 24 * 3600
    own = _read(store, replace(what, name="own"), number=3)
    assert own.findings[0].words == "The round has not chosen its batch yet."


def test_seconds_in_each_stage_add_up_to_the_life_of_a_round(store: Store) -> None:
    what = replace(SMALL, open_round=True)
    reading = _read(store, what, days=3.5)
    *closed, last = reading.tables[3].rows
    for row in closed:
        assert sum(_stages(row).values()) == pytest.approx(0.6 * 24 * 3600, abs=1)
        # Eight steps of the same length; two of them are spent with annotators, two on measuring.
        assert row.labeling_seconds == pytest.approx(2 / 8 * 0.6 * 24 * 3600, abs=1)
        assert row.failed_seconds == 0
    assert sum(_stages(last).values()) == pytest.approx(0.5 * 24 * 3600, abs=1)
    assert last.labeling_seconds > 0.49 * 24 * 3600
    assert (last.labeled, last.open) == (12, 12)


def test_states_of_tasks_add_up_to_the_batch(store: Store) -> None:
    for row in _read(store, replace(SMALL, open_round=True)).tables[3].rows:
        assert row.labeled + row.skipped + row.invalid + row.open + row.gone == row.batch == 24


def test_a_large_batch_shows_the_most_wanted_and_counts_all(store: Store) -> None:
    reading = _read(store, replace(SMALL, rounds=2, batch=MOST + 50, pool=2000))
    assert len(reading.tables[0].rows) == MOST
    assert sum(row.n for row in reading.tables[1].rows) == MOST + 50
    scores = next(chart for chart in reading.charts if chart.name == "batch_scores")
    assert scores.notes == (f"The {MOST} most wanted of {MOST + 50} picks.",)


def test_an_old_report_shows_what_there_was(store: Store) -> None:
    # A minute after it began, the first round has not chosen.
    early = _read(store, SMALL, days=1 / 1440)
    assert early.findings[0].words == "The round has not chosen its batch yet."
    (row,) = early.tables[3].rows
    assert (row.state, row.batch, row.random, row.labeled) == (RoundState.PLANNED, 24, 0, 0)
    assert early.tables[2].rows == []


def test_an_empty_project_says_how_to_begin(store: Store) -> None:
    with store.begin() as tx:
        project = tx.projects.ensure("empty", kind=TaskKind.TEXT, classes=("a", "b"), seed=0)
    with store.read() as tx:
        reading = Batch().read(tx.facts(project), View())
    assert [finding.tone for finding in reading.findings] == [Tone.UNKNOWN]
    assert "`workbench round ask`" in reading.findings[0].words
    assert reading.charts == ()
    assert all(not table.rows for table in reading.tables)


def _order(answered: int, moved: int, correlation: float | None, low: float | None) -> OrderRow:
    return OrderRow(
        round=1,
        answered=answered,
        n=100,
        correlation=correlation,
        correlation_low=low,
        correlation_high=correlation,
        out_of_place=moved,
        first_answer=START,
        last_answer=START,
    )


@pytest.mark.parametrize(
    ("row", "tone", "words"),
    [
        (None, Tone.UNKNOWN, "Nobody has answered yet"),
        (_order(3, 0, None, None), Tone.UNKNOWN, "too few"),
        (_order(100, 5, 0.99, 0.98), Tone.GOOD, "in the intended order"),
        (_order(100, 40, 0.6, 0.4), Tone.NEUTRAL, "roughly in the intended order"),
        (_order(100, 80, 0.0, -0.2), Tone.WARNING, "not answered in the intended order"),
    ],
)
def test_the_order_is_judged_by_what_would_have_to_move(row: OrderRow | None, tone: Tone, words: str) -> None:
    found = order(row)
    assert found.tone is tone
    assert words in found.words
