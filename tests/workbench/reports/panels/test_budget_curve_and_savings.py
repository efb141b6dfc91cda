"""What the panels of money and savings say of projects whose answer is known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.records import Project
from workbench.domain.terms import Terms
from workbench.reports.faces.document import as_document, as_json
from workbench.reports.panel import Panel, Reading, Tone, View
from workbench.reports.panels.budget_curve import BudgetCurve
from workbench.reports.panels.savings import Savings
from workbench.reports.reading import read_report
from workbench.storage import tables as t
from workbench.storage.store import Store, open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database with many projects."""
    with _opened(tmp_path_factory.mktemp("projects")) as opened:
        yield opened


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A database that may be changed."""
    with _opened(tmp_path) as opened:
        yield opened


@contextmanager
def _opened(folder: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{folder / 'workbench.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def _project(store: Store, what: MadeUp) -> Project:
    """The project, written if it is not there yet."""
    named = replace(what, name=repr(what))
    for _ in range(2):
        with store.read() as tx:
            found = [project for project in tx.projects.all() if project.name == named.name]
        if found:
            return found[0]
        named.write(store)
    raise AssertionError


def _read(store: Store, project: Project, panel: Panel) -> Reading:
    with store.read() as tx:
        return panel.read(tx.facts(project), View())


def _words(reading: Reading) -> str:
    return "\n".join(finding.words for finding in reading.findings)


def _saved(reading: Reading) -> dict[str, object]:
    return {row.measure: row for row in reading.tables[0].rows}


AHEAD = MadeUp(
    rounds=10,
    batch=60,
    test_items=1500,
    waste=2.0,
    terms=Terms(target=0.77, per_annotation=0.02),
    foreseen=0,
)


def test_choosing_that_needs_half_of_the_labels_is_said_to_be_ahead(store: Store) -> None:
    reading = _read(store, _project(store, AHEAD), Savings())
    rows = _saved(reading)
    speed_up = rows["speed-up factor"]
    assert speed_up.low <= 2.0 <= speed_up.high
    assert speed_up.low > 1.3
    for measure in ("labels saved at target", "labels saved at what both reached", "speed-up factor"):
        assert rows[measure].verdict == "choosing was better"
        assert rows[measure].low < rows[measure].value < rows[measure].high
    assert reading.findings[0].words.startswith("Choosing beat random here: ")
    assert "choosing was ahead of random" in _words(reading)
    assert "The luck of batches and training" in _words(reading)


def test_choosing_that_is_no_better_is_not_shown(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, waste=1.0)), Savings())
    rows = _saved(reading)
    assert rows["speed-up factor"].verdict == "not shown"
    assert rows["labels saved at what both reached"].verdict == "not shown"
    assert "Not shown: a speed-up" in _words(reading)
    assert reading.findings[0].words.startswith("Whether choosing beat random here is not shown: ")
    assert Tone.GOOD not in {finding.tone for finding in reading.findings}


def test_random_that_is_better_is_said_so(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, waste=0.5)), Savings())
    assert _saved(reading)["area under the curve, chosen minus random"].verdict == "random was better"
    assert reading.findings[0].words.startswith("Random beat choosing here: ")
    assert {row.verdict for row in reading.tables[1].rows[2:]} == {"the model of random is ahead"}
    assert "random was ahead of choosing" in _words(reading)


def test_a_target_that_random_has_not_reached_saves_at_least_so_many(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, waste=3.0, terms=Terms(target=0.83))), Savings())
    row = _saved(reading)["labels saved at target"]
    assert (row.value, row.high) == (None, None)
    assert row.low > 0
    assert "as random has not surely reached it" in _words(reading)


def test_a_target_that_both_reached_early_is_not_said_to_be_out_of_reach(store: Store) -> None:
    early = replace(AHEAD, waste=3.0, terms=Terms(target=0.6))
    reading = _read(store, _project(store, early), Savings())
    row = _saved(reading)["labels saved at target"]
    assert row.value is None
    assert 0 < row.low < row.high
    assert "reached it with" not in _words(reading)


def test_a_target_that_nobody_has_reached_is_not_shown(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, terms=Terms(target=0.99))), Savings())
    row = _saved(reading)["labels saved at target"]
    assert (row.value, row.low, row.high, row.verdict) == (None, None, None, "not shown")
    assert "neither arm" in _words(reading)


def test_without_a_random_arm_the_random_share_is_continued_and_that_is_said(store: Store) -> None:
    what = replace(AHEAD, random_arm=False, control_share=0.3, rounds=12)
    reading = _read(store, _project(store, what), Savings())
    assert "Random is continued from models of" in _words(reading)
    factor = _saved(reading)["speed-up factor"]
    assert (factor.low or 0) <= 2.0 <= (factor.high or np.inf)
    assert reading.tables[1].rows == []


def test_too_few_models_of_the_random_share_are_not_continued(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, random_arm=False, rounds=2)), Savings())
    assert reading.tables[0].rows == []
    assert "1 more round with random picks" in _words(reading)


def test_rounds_of_before_predictions_were_kept_are_told_by_two_samples(own_store: Store) -> None:
    """A database of an older version has metrics alone."""
    project = _project(own_store, AHEAD)
    with own_store.engine.begin() as connection:
        connection.execute(sa.delete(t.prediction_set))
    reading = _read(own_store, project, Savings())
    assert reading.tables[0].rows == []
    assert "did not keep predictions" in _words(reading)
    rows = reading.tables[1].rows
    assert len(rows) == 10
    assert {row.by for row in rows} == {"two samples"}
    assert "wider than need be" in _words(reading)


def test_intervals_of_the_same_items_are_narrower_than_those_of_two_samples(own_store: Store) -> None:
    project = _project(own_store, AHEAD)
    paired = _read(own_store, project, Savings()).tables[1].rows
    with own_store.engine.begin() as connection:
        connection.execute(sa.delete(t.prediction_set))
    apart = _read(own_store, project, Savings()).tables[1].rows
    for row, other in zip(paired, apart, strict=True):
        assert row.difference == pytest.approx(other.difference)
        assert row.high - row.low < other.high - other.low


def test_rounds_that_were_measured_on_other_items_are_left_out_and_counted(own_store: Store) -> None:
    project = _project(own_store, AHEAD)
    with own_store.engine.begin() as connection:
        first = sa.select(t.round_.c.id).where(t.round_.c.number < 2)
        connection.execute(
            t.prediction_set.update().where(t.prediction_set.c.round_id.in_(first)).values(items_sha256="old")
        )
    reading = _read(own_store, project, Savings())
    assert "Left out, as measured on other held-out items: 2 rounds" in _words(reading)


@pytest.mark.parametrize("panel", [BudgetCurve(), Savings()])
@pytest.mark.parametrize("rounds", [0, 1])
def test_a_young_project_says_what_is_missing(store: Store, panel: Panel, rounds: int) -> None:
    reading = _read(store, _project(store, replace(AHEAD, rounds=rounds, open_round=True)), panel)
    assert reading.findings
    if rounds == 0:
        assert "`workbench round tell` goes on with round 0" in _words(reading)
        assert all(not table.rows for table in reading.tables)
        assert reading.charts == ()


def test_the_budget_curve_has_a_row_a_round_and_says_what_was_bought(store: Store) -> None:
    reading = _read(store, _project(store, AHEAD), BudgetCurve())
    rows = reading.tables[0].rows
    assert [row.round for row in rows] == list(range(10))
    assert [row.labels for row in rows] == sorted(row.labels for row in rows)
    for row in rows:
        assert row.accuracy_low < row.accuracy < row.accuracy_high
        assert row.control_low < row.control_accuracy < row.control_high
        assert row.n == 1500
    assert {chart.name for chart in reading.charts} == {
        "budget_curve_by_labels",
        "budget_curve_by_cost",
        "budget_curve_by_hours",
    }
    names = [mark.name for mark in reading.charts[0].marks]
    assert names == ["chosen", "drawn at random"]
    assert [guide.words for guide in reading.charts[0].guides] == ["target 77.0 %"]
    assert "bought an accuracy of" in _words(reading)


@pytest.mark.parametrize(
    ("target", "words"),
    [(0.5, "is reached"), (0.999, "is not reached"), (None, "bought an accuracy")],
)
def test_the_target_is_reached_not_reached_or_not_named(
    store: Store, target: float | None, words: str
) -> None:
    reading = _read(store, _project(store, replace(AHEAD, terms=Terms(target=target))), BudgetCurve())
    assert words in _words(reading)
    assert bool(reading.charts[0].guides) == (target is not None)


def test_without_a_price_there_is_no_chart_of_money(store: Store) -> None:
    reading = _read(store, _project(store, replace(AHEAD, terms=Terms())), BudgetCurve())
    assert [chart.name for chart in reading.charts] == ["budget_curve_by_labels", "budget_curve_by_hours"]


def test_an_old_report_is_what_was_said_then(tmp_path: Path) -> None:
    """A report of a shorter project's end, and of that moment in a longer one, are the same bytes."""
    moment = START + 5 * AHEAD.every - timedelta(minutes=1)

    def printed(rounds: int) -> str:
        (tmp_path / str(rounds)).mkdir()
        with _opened(tmp_path / str(rounds)) as store:
            replace(AHEAD, rounds=rounds).write(store)
            with store.read() as tx:
                (project,) = tx.projects.all()
            report = read_report(store, project, panels=["budget_curve", "savings"], at=moment)
        return as_json(as_document(report))

    assert printed(5) == printed(8)
