"""Forecast, stopping and headline, on projects whose truth is known."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.terms import Terms
from workbench.reports.panel import Panel, Reading, Tone, View
from workbench.reports.panels.forecast import Forecast
from workbench.reports.panels.headline import Headline
from workbench.reports.panels.stopping import Stopping
from workbench.reports.stopping_record import Says
from workbench.storage.store import Store, open_store

PANELS: tuple[Panel, ...] = (Headline(), Forecast(), Stopping())
PRICES = {"per_annotation": 0.02, "per_hour": 18.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database that holds a project of each kind."""
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('made-up') / 'a.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def _project(store: Store, name: str, **what: Any) -> str:
    with store.read() as tx:
        known = {project.name for project in tx.projects.all()}
    if name not in known:
        MadeUp(name=name, foreseen=99, test_items=600, **what).write(store)
    return name


def _read(
    store: Store, name: str, panel: Panel, view: View | None = None, day: float | None = None
) -> Reading:
    with store.read() as tx:
        project = next(project for project in tx.projects.all() if project.name == name)
        at = None if day is None else START + timedelta(days=day)
        return panel.read(tx.facts(project, at), view or View())


def _rows(reading: Reading, table: str) -> Any:
    return next(found for found in reading.tables if found.name == table).rows


@pytest.mark.parametrize("rounds", [0, 1, 2])
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_too_little_data_is_said_and_no_number_made_up(store: Store, rounds: int, panel: Panel) -> None:
    reading = _read(store, _project(store, f"of {rounds}", rounds=rounds), panel)
    if panel.name != "stopping" or not rounds:
        assert reading.findings[0].tone is Tone.UNKNOWN
    for name in ("forecast", "forecast_next", "forecast_backtest"):
        if panel.name == "forecast":
            assert _rows(reading, name) == []
    if panel.name == "headline":
        assert reading.findings[0].words.startswith("Not enough evidence: ")
    if panel.name == "forecast":
        assert f"found {rounds}" in reading.findings[0].words
        assert "workbench round ask" in reading.findings[0].words


def test_what_came_later_changes_nothing_of_a_report_of_then(tmp_path: Path) -> None:
    readings = []
    for rounds in (6, 9):
        opened = open_store(f"sqlite:///{tmp_path / str(rounds)}.db")
        opened.upgrade()
        _project(opened, "same", rounds=rounds)
        readings.append([_read(opened, "same", panel, day=5.7) for panel in PANELS])
        opened.close()
    assert readings[0] == readings[1]


def test_a_target_that_is_reached_says_stop_and_needs_no_label(store: Store) -> None:
    name = _project(store, "reached", rounds=8, terms=Terms(**PRICES, target=0.6))
    headline, forecast = _read(store, name, Headline()), _read(store, name, Forecast())
    assert headline.findings[0].words.startswith("Stop: the accuracy is ")
    assert headline.findings[0].tone is Tone.GOOD
    assert [row.more_labels for row in _rows(forecast, "forecast")] == [0, 0, 0]
    assert "is reached now" in forecast.findings[0].words


def test_a_target_ahead_has_labels_money_hours_and_a_day_in_order(store: Store) -> None:
    name = _project(store, "ahead", rounds=10, terms=Terms(**PRICES, target=0.87))
    reading = _read(store, name, Forecast(), day=10)
    rows = _rows(reading, "forecast")
    assert [row.quantile for row in rows] == ["P10", "P50", "P90"]
    for column in ("labels", "more_labels", "cost", "seconds", "date"):
        known = [getattr(row, column) for row in rows if getattr(row, column) is not None]
        assert known == sorted(known)
    middle = rows[1]
    made_up = MadeUp(rounds=10, test_items=600)
    labels = _rows(_read(store, name, Headline(), day=10), "headline")[0].labels
    assert middle.labels == labels + middle.more_labels
    # 45 labels a day, and 1.5 answers for each that is paid.
    days = (middle.date - (START + timedelta(days=10))).total_seconds() / 86_400
    assert middle.more_labels / days == pytest.approx(made_up.batch * 0.93, rel=0.35)
    assert reading.findings[0].words.startswith("87.0 % should take ")
    assert next(guide.y for guide in reading.charts[0].guides) == 0.87


@pytest.mark.parametrize(("day", "idle"), [(10, None), (11.5, None), (41, 31)])
def test_days_are_counted_from_the_report_and_an_idle_project_is_said_to_be(
    store: Store, day: float, idle: int | None
) -> None:
    name = _project(store, "ahead", rounds=10, terms=Terms(**PRICES, target=0.87))
    early, late = (_read(store, name, Forecast(), day=at) for at in (10, day))
    shift = _rows(late, "forecast")[1].date - _rows(early, "forecast")[1].date
    assert shift == timedelta(days=day - 10)
    words = late.findings[0].words
    assert ("goes on today as before" in words) is (idle is not None)
    assert idle is None or f"no round was closed for {idle} days;" in words


def test_each_gain_says_which_curve_it_is_read_from(store: Store) -> None:
    name = _project(store, "gains", rounds=7, terms=Terms(**PRICES, target=0.9))
    rows = {row.rule: row.reason for row in _rows(_read(store, name, Stopping()), "stopping")}
    assert rows["a quarter more"].startswith("By the curves of the forecast ")
    assert rows["expected gain"].startswith("By a power law alone ")
    assert "by the forecast" in _read(store, name, Stopping()).charts[0].title


def test_a_target_beyond_the_ceiling_is_said_to_be(store: Store) -> None:
    name = _project(store, "beyond", rounds=10, ceiling=0.8, gain=1.5, terms=Terms(**PRICES, target=0.99))
    reading = _read(store, name, Forecast())
    assert reading.findings[0].tone is Tone.BAD
    assert "likely beyond reach" in reading.findings[0].words
    assert [row.labels for row in _rows(reading, "forecast")] == [None] * 3
    assert _rows(reading, "forecast")[0].chance < 0.1


def test_without_a_target_the_next_labels_are_still_forecast(store: Store) -> None:
    name = _project(store, "aimless", rounds=6, terms=Terms(**PRICES))
    reading = _read(store, name, Forecast())
    assert "target = 0.95" in reading.findings[0].words
    assert _rows(reading, "forecast") == []
    assert len(_rows(reading, "forecast_next")) == 4


def test_asked_for_a_number_of_labels_it_says_first_what_those_would_buy(store: Store) -> None:
    name = _project(store, "whole", rounds=9, open_round=True)
    reading = _read(store, name, Forecast(), View(labels=333))
    first, *others = _rows(reading, "forecast_next")
    assert first.more_labels == 333
    assert reading.findings[1].words.startswith("333 more labels for ")
    assert first.gain_low <= first.gain <= first.gain_high
    assert first.gain_per_100 == pytest.approx(first.gain / first.cost * 100)
    assert [row.gain for row in others] == sorted(row.gain for row in others)


def test_no_more_labels_are_bought_than_the_pool_has_items(store: Store) -> None:
    name = _project(store, "nearly empty", rounds=6, pool=320)
    reading = _read(store, name, Forecast(), View(labels=100_000))
    assert [row.more_labels for row in _rows(reading, "forecast_next")] == [20]
    assert reading.findings[1].words.startswith("20 more labels for ")
    assert reading.findings[1].words.endswith(" The pool can give no more.")


def test_a_pool_that_is_used_up_stops_until_something_is_added(store: Store) -> None:
    name = _project(store, "empty", rounds=6, pool=300)
    reading, headline = _read(store, name, Forecast()), _read(store, name, Headline())
    assert _rows(reading, "forecast_next") == []
    assert "workbench pool add" in reading.findings[1].words
    assert headline.findings[0].words.startswith("Stop: every item of the pool was chosen")
    with store.begin() as tx:
        project = tx.projects.get(name)
        assert project is not None
        tx.pool.add_shard(project.id, uri="more", rows=40, sha256="more", source="more.csv")
    assert [row.more_labels for row in _rows(_read(store, name, Forecast()), "forecast_next")] == [40]
    assert not _read(store, name, Headline()).findings[0].words.startswith("Stop: every item")


def test_free_labels_have_no_gain_for_money(store: Store) -> None:
    name = _project(store, "free", rounds=5, terms=Terms())
    reading = _read(store, name, Forecast())
    assert {row.gain_per_100 for row in _rows(reading, "forecast_next")} == {None}
    assert _rows(_read(store, name, Headline()), "headline")[0].last_point is None


def test_earlier_forecasts_stand_beside_what_came(store: Store) -> None:
    reading = _read(store, _project(store, "whole", rounds=9, open_round=True), Forecast())
    rows = _rows(reading, "forecast_backtest")
    one = [row for row in rows if row.rounds_ahead == 1]
    assert [(row.made_in, row.round) for row in one] == [(n, n + 1) for n in range(2, 8)]
    assert all(row.error == pytest.approx(row.measured - row.expected) for row in rows)
    assert all(row.inside is (row.expected_low <= row.measured <= row.expected_high) for row in rows)
    inside = sum(row.inside for row in one)
    assert inside >= 4
    assert f"Of 6 earlier forecasts one round ahead, {inside} had" in reading.findings[-1].words


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        (Terms(**PRICES, max_labels=200), "max labels"),
        (Terms(**PRICES, max_cost=5.0), "max cost"),
        (Terms(**PRICES, max_hours=0.5), "max hours"),
        (Terms(**PRICES, deadline=date(2026, 3, 5)), "deadline"),
    ],
)
def test_a_cap_or_deadline_that_is_reached_stops(store: Store, terms: Terms, rule: str) -> None:
    name = _project(store, f"capped by {rule}", rounds=6, terms=terms)
    assert _read(store, name, Headline()).findings[0].words.startswith("Stop: ")
    row = next(row for row in _rows(_read(store, name, Stopping()), "stopping") if row.rule == rule)
    assert row.says == Says.STOP


def test_every_rule_stands_beside_the_others_with_itself_stated(store: Store) -> None:
    terms = Terms(**PRICES, target=0.9, max_cost=1e6, deadline=date(2030, 1, 1))
    reading = _read(store, _project(store, "all rules", rounds=7, terms=terms), Stopping())
    rows = {row.rule: row for row in _rows(reading, "stopping")}
    assert {
        "stabilizing predictions",
        "classification change",
        "overall uncertainty",
        "expected gain",
        "max cost",
        "deadline",
        "target",
        "a quarter more",
    } <= set(rows)
    assert all(row.stated.startswith("Stop when ") and row.reason for row in rows.values())
    assert {row.round for row in rows.values()} == {6, None}
    assert [chart.name for chart in reading.charts] == ["stopping_gain"]


def test_a_curve_that_jumps_is_not_continued(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter([0.5, 0.9, 0.3, 0.8, 0.35, 0.9, 0.4] * 3)
    monkeypatch.setattr("tests.fixtures.made_up.Writer.accuracy", lambda *_: next(jumps))
    name = _project(store, "jumping", rounds=7, random_arm=False, control_share=0.0)
    reading = _read(store, name, Forecast())
    assert "scatter by" in reading.findings[0].words
    assert reading.findings[0].tone is Tone.UNKNOWN
    assert _rows(reading, "forecast_next") == []
    assert _read(store, name, Headline()).findings[0].words.startswith("Not enough evidence: ")


def test_every_chart_is_told_in_words_with_numbers(store: Store) -> None:
    name = _project(store, "whole", rounds=9, open_round=True)
    charts = [chart for panel in PANELS for chart in _read(store, name, panel).charts]
    assert charts
    assert all(any(letter.isdigit() for letter in chart.summary) for chart in charts)
