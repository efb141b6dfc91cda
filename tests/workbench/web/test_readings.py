"""A reading is kept until something changes, and never given to somebody with other rights."""

import shutil
import threading
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.workbench.web.sites import FILLED, MadeSite, show
from workbench.domain.roles import Role
from workbench.reports import reading
from workbench.storage.store import Store, open_store
from workbench.web import readings
from workbench.web.pages.panels import old_words
from workbench.web.panels import view_of
from workbench.web.readings import LONGEST, RECENT, Heard, Readings
from workbench.web.security.visitors import Visitor

VIEWER, OPERATOR = (Visitor(name=str(role), role=role) for role in (Role.VIEWER, Role.OPERATOR))


class Counted:
    """Counts how often reports are really read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        monkeypatch.setattr(readings, "read_report", self)

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.times += 1
        return reading.read_report(*args, **more)


@pytest.fixture
def store(made_folder: Path, tmp_path: Path) -> Store:
    """A copy that may be written to."""
    shutil.copy(made_folder / "workbench.db", tmp_path / "workbench.db")
    return open_store(f"sqlite:///{tmp_path / 'workbench.db'}")


def test_a_reading_is_kept_until_something_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, kept = Counted(monkeypatch), Readings()
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    first = kept.panel(OPERATOR, store, project, "headline")
    assert kept.panel(OPERATOR, store, project, "headline") is first
    with store.begin() as tx:
        tx.results.note(project.id, "noted", "Something happened")
    assert kept.panel(OPERATOR, store, project, "headline") is not first
    assert counted.times == 2


def test_what_a_page_makes_of_a_reading_is_made_once_and_anew_of_the_next(store: Store) -> None:
    kept = Readings()
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    before = view_of(kept.panel(OPERATOR, store, project, "savings"))
    assert view_of(kept.panel(OPERATOR, store, project, "savings")) is before
    fewer = view_of(kept.panel(OPERATOR, store, project, "savings"), drawn=0, most=0)
    assert [len(sheet.rows) for sheet in fewer.sheets] == [0] * len(before.sheets)
    # Names are part of a reading, so of what is made of it.
    assert view_of(kept.panel(VIEWER, store, project, "savings")) is not before
    with store.begin() as tx:
        tx.results.note(project.id, "noted", "Something happened")
    assert view_of(kept.panel(OPERATOR, store, project, "savings")) is not before


def test_a_reading_with_names_is_never_given_to_a_viewer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, kept = Counted(monkeypatch), Readings()
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    seen = kept.panel(OPERATOR, store, project, "annotators")
    hidden = kept.panel(VIEWER, store, project, "annotators")
    assert "Cyril Sneer" in str(seen.report)
    assert "Cyril Sneer" not in str(hidden.report)
    assert counted.times == 2


def test_a_reading_grows_old_by_itself(store: Store) -> None:
    clock = [datetime.fromisoformat("2026-06-01T00:00:00+00:00")]
    ticking = Store(store.engine, lambda: clock[0])
    with ticking.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    kept = Readings()
    first = kept.panel(OPERATOR, ticking, project, "stopping")
    clock[0] += LONGEST
    assert kept.panel(OPERATOR, ticking, project, "stopping") is first
    clock[0] += timedelta(seconds=1)
    assert kept.panel(OPERATOR, ticking, project, "stopping") is not first


class Gate:
    """Lets reports be read only once it is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        monkeypatch.setattr(readings, "read_report", self)

    def __call__(self, *args: Any, **more: Any) -> Any:
        assert self.open.wait(30)
        return reading.read_report(*args, **more)


def test_what_takes_long_is_shown_as_it_was_until_it_is_read_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, kept = Gate(monkeypatch), Readings(patience=0.01)
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    first = kept.panel(OPERATOR, store, project, "headline")
    assert kept.soon(OPERATOR, store, project, "headline") == (first, False)
    gate.open.clear()
    with store.begin() as tx:
        tx.results.note(project.id, "noted", "Something happened")
    old = kept.soon(OPERATOR, store, project, "headline")
    assert old == (first, True)
    assert f"{first.report.at:%H:%M:%S}" in old_words(old)
    gate.open.set()
    newer = kept.panel(OPERATOR, store, project, "headline")
    assert newer.report.at > first.report.at
    assert kept.soon(OPERATOR, store, project, "headline") == (newer, False)
    assert old_words(Heard(newer, newer=False)) == ""


def test_what_began_before_a_change_is_not_taken_for_what_came_after(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, kept = Gate(monkeypatch), Readings(patience=0.01)
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    gate.open.clear()
    assert kept.soon(OPERATOR, store, project, "headline") == (None, True)
    with store.begin() as tx:
        tx.results.note(project.id, "noted", "Something happened")
        changed = tx.now
    Timer(0.05, gate.open.set).start()
    assert kept.panel(OPERATOR, store, project, "headline").report.at >= changed


def test_somebody_without_names_is_never_shown_what_was_read_with_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, kept = Gate(monkeypatch), Readings(patience=0.01)
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    kept.panel(OPERATOR, store, project, "annotators")
    gate.open.clear()
    assert kept.soon(VIEWER, store, project, "annotators") == (None, True)
    gate.open.set()
    assert "Cyril Sneer" not in str(kept.panel(VIEWER, store, project, "annotators").report)


def test_a_fault_in_the_background_is_told_to_the_next_who_asks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Readings(patience=30)
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None

    def fail(*_args: Any, **_more: Any) -> None:
        raise ValueError("it went wrong")

    monkeypatch.setattr(readings, "read_report", fail)
    with pytest.raises(ValueError, match="it went wrong"):
        kept.soon(OPERATOR, store, project, "headline")
    monkeypatch.setattr(readings, "read_report", reading.read_report)
    assert kept.soon(OPERATOR, store, project, "headline").said is not None


def test_a_program_waits_rather_than_hear_of_long_ago(store: Store) -> None:
    clock = [datetime.fromisoformat("2026-06-01T00:00:00+00:00")]
    ticking = Store(store.engine, lambda: clock[0])
    with ticking.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    kept = Readings(patience=0)
    first = kept.soon(OPERATOR, ticking, project, "stopping", oldest=RECENT).said
    clock[0] += LONGEST + timedelta(seconds=1)
    found = kept.soon(OPERATOR, ticking, project, "stopping", oldest=RECENT).said
    assert first is not None
    assert found is not None
    assert found.report.at - first.report.at > LONGEST


def test_a_moment_of_long_ago_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, kept = Counted(monkeypatch), Readings()
    with store.read() as tx:
        project = tx.projects.get(FILLED.name)
        assert project is not None
        long_ago = tx.now - LONGEST - timedelta(seconds=5)
    first = kept.panel(OPERATOR, store, project, "headline", at=long_ago)
    with store.begin() as tx:
        tx.results.note(project.id, "noted", "Something happened")
    assert kept.panel(OPERATOR, store, project, "headline", at=long_ago) is first
    assert counted.times == 1


def test_a_page_says_that_its_panel_is_being_read(
    open_site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    site = show(open_site.folder, patience=0.01)
    gate.open.clear()
    page = site.ask(f"{site.filled}/panels/coverage")
    assert "Reading what there is" in page.text
    assert f"{site.filled}/panels/coverage/body" in page.text
    assert 'hx-trigger="load delay' in site.ask(f"{site.filled}/panels/coverage/card").text
    gate.open.set()
    assert 'id="table-coverage"' in site.ask(f"{site.filled}/panels/coverage?whole=true").text
    assert "Reading what there is" not in site.ask(f"{site.filled}/panels/coverage").text
