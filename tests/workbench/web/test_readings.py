"""A reading is kept until something changes, and never given to somebody with other rights."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.web.sites import FILLED, MadeSite
from workbench.domain.roles import Role
from workbench.reports import reading
from workbench.storage.store import Store, open_store
from workbench.web import readings
from workbench.web.readings import LONGEST, Readings, asked_for
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


def test_a_page_waits_only_for_what_is_quick(open_site: MadeSite) -> None:
    with open_site.store.read() as tx:
        project = tx.projects.get(FILLED.name)
    assert project is not None
    kept = Readings()
    slow = asked_for(OPERATOR, open_site.store, project, "slow")
    assert not kept.is_quick(slow, open_site.store)
    kept._took[(slow.store, slow.project, "slow")] = 2.0
    assert not kept.is_quick(slow, open_site.store)
    kept.once(slow, open_site.store, lambda: "made")
    assert kept.is_quick(slow, open_site.store)
