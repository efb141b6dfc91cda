"""Panels that wait for a first measurement all say what stands in its way, and nothing that is not so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import MadeUp
from workbench.reports.reading import read_report
from workbench.storage.store import Store, open_store
from workbench.storage.tables import budget_point, diagnostic, item, label, metric, prediction_set

PANELS = ("budget_curve", "savings", "coverage", "calibration")
UNMEASURED = (
    sa.delete(prediction_set),
    sa.delete(metric),
    sa.delete(diagnostic),
    sa.update(budget_point).values(value=None, low=None, high=None, n=0),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def _said(store: Store) -> list[str]:
    with store.read() as tx:
        (project,) = tx.projects.all()
    report = read_report(store, project, panels=PANELS)
    assert len(report.panels) == len(PANELS)
    return [" ".join(finding.words for finding in panel.reading.findings) for panel in report.panels]


def _without_measurements(store: Store, *changes: sa.Executable) -> None:
    MadeUp(rounds=1, batch=30, test_items=20, pool=200, random_arm=False).write(store)
    with store.engine.begin() as connection:
        for change in (*UNMEASURED, *changes):
            connection.execute(change)


@pytest.mark.parametrize(("state", "command"), [("failed", "resume"), ("open_round", "tell")])
def test_a_first_round_that_is_not_over_is_gone_on_with_and_none_is_begun(
    store: Store, state: str, command: str
) -> None:
    MadeUp(rounds=0, batch=30, test_items=20, pool=200, **{state: True}).write(store)  # type: ignore[arg-type]
    for said in _said(store):
        assert f"`workbench round {command}` goes on with round 0" in said
        assert "round ask" not in said


def test_labels_of_one_class_are_said_to_be_the_reason_and_not_that_nothing_is_held_out(store: Store) -> None:
    _without_measurements(store, sa.update(label).values(value="0"))
    for said in _said(store):
        assert "the labels are of 1 class and it takes 2" in said
        assert "pool add" not in said


def test_that_nothing_is_held_out_is_said_with_the_command_that_holds_some_out(store: Store) -> None:
    _without_measurements(store, sa.update(item).where(item.c.split == "test").values(known_label=None))
    for said in _said(store):
        assert "no item is held out to measure on" in said
        assert "--test-share 0.2" in said
