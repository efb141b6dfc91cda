"""What charts draw of earlier forecasts stands in a table, too: for programs, and for whoever can not see."""

from typing import Any

import pytest

from tests.fixtures.made_up import MadeUp
from workbench.domain.terms import Terms
from workbench.reports.panel import Panel, Reading, View
from workbench.reports.panels.forecast import Forecast
from workbench.reports.panels.stopping import Stopping
from workbench.storage.store import Store


@pytest.fixture
def readings(store: Store) -> dict[str, Reading]:
    MadeUp(rounds=9, test_items=400, foreseen=5, terms=Terms(target=0.85, per_annotation=0.02)).write(store)
    panels: tuple[Panel, ...] = (Forecast(), Stopping())
    with store.read() as tx:
        (project,) = tx.projects.all()
        facts = tx.facts(project)
        return {panel.name: panel.read(facts, View()) for panel in panels}


def _line(readings: dict[str, Reading], panel: str, chart: str) -> Any:
    (found,) = [one for one in readings[panel].charts if one.name == chart]
    return found.marks[0]


def _rows(readings: dict[str, Reading]) -> dict[int, Any]:
    (table,) = [one for one in readings["forecast"].tables if one.name == "forecast_by_round"]
    return {row.round: row for row in table.rows}


def test_every_round_that_foresaw_something_has_a_row(readings: dict[str, Reading]) -> None:
    assert list(_rows(readings)) == [4, 5, 6, 7, 8]


def test_labels_until_the_target_stand_in_a_table(readings: dict[str, Reading]) -> None:
    rows, line = _rows(readings), _line(readings, "forecast", "forecast_history")
    drawn = zip(line.x, line.low, line.y, strict=True)
    assert [(number, rows[number].needed_low, rows[number].needed) for number in line.x] == [
        (number, round(low), round(middle)) for number, low, middle in drawn
    ]


def test_expected_gains_stand_in_a_table(readings: dict[str, Reading]) -> None:
    rows, line = _rows(readings), _line(readings, "stopping", "stopping_gain")
    gains = [rows[number].gain / rows[number].cost * 100 for number in line.x]
    assert gains == pytest.approx(line.y)
