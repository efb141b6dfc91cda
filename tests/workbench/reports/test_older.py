"""Of rounds that older versions closed, reports say what was not kept, instead of that nothing was done."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from workbench.domain.rounds import RoundState
from workbench.reports.reading import read_report
from workbench.storage.facts.rounds import RoundThen
from workbench.storage.store import Store, open_store

DATABASES = Path(__file__).parents[1] / "storage" / "databases"


@pytest.fixture(params=["0001", "0002"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A project with two closed rounds and an open one, upgraded a moment ago."""
    shutil.copy(DATABASES / request.param / "workbench.db", tmp_path)
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def _said(store: Store, panel: str, at: datetime | None = None) -> str:
    with store.read() as tx:
        (project,) = tx.projects.all()
    (found,) = read_report(store, project, at=at, panels=[panel]).panels
    return " ".join(finding.words for finding in found.reading.findings)


def _rounds(store: Store) -> list[RoundThen]:
    with store.read() as tx:
        return tx.facts(tx.projects.all()[0]).rounds.all()


@pytest.mark.parametrize("panel", ["savings", "coverage", "calibration", "stopping"])
def test_what_an_older_version_measured_and_did_not_keep_is_said_to_be_that(store: Store, panel: str) -> None:
    said = _said(store, panel)
    assert "closed by a version that did not keep" in said
    assert "no round has measured" not in said
    assert "yet" not in said


def test_a_moment_before_moves_were_kept_says_which_rounds_are_shown_as_they_stood_later(
    store: Store,
) -> None:
    first, *_rest = _rounds(store)
    assert first.state is RoundState.CLOSED
    meanwhile = first.since - timedelta(milliseconds=1)
    for panel in ("batch", "integrity"):
        assert "Round 0 is shown as things stood later" in _said(store, panel, meanwhile)
        assert "stood later" not in _said(store, panel, first.since)
        assert "stood later" not in _said(store, panel)
