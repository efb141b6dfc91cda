"""What is written while a report is read is in it and in every later one of that moment, or in none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from workbench.domain.records import Project, TaskKind
from workbench.storage import settled
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store


@pytest.fixture
def project(store: Store) -> Project:
    """A project."""
    with store.begin() as tx:
        return tx.projects.ensure("a project", kind=TaskKind.TEXT, classes=("a", "b"), seed=1)


@contextmanager
def _writing(store: Store, project: Project, words: str) -> Iterator[threading.Event]:
    """Somebody has taken the time and written, and commits when told to."""
    written, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with store.begin() as tx:
            tx.results.note(project.id, "writing", words)
            written.set()
            go_on.wait(30)

    thread = threading.Thread(target=write)
    thread.start()
    assert written.wait(30)
    try:
        yield go_on
    finally:
        go_on.set()
        thread.join(30)


def _seen(store: Store, project: Project, at: datetime) -> list[str]:
    with store.read() as tx:
        return [event.message for event in tx.facts(project, at).trail.events(Wanted())]


def test_a_report_made_while_others_write_for_long_is_of_the_moment_before(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "PATIENCE_SECONDS", 0.05)
    with store.begin() as tx:
        tx.results.note(project.id, "writing", "before")
    with _writing(store, project, "slow"):
        at = store.settled()
        then = _seen(store, project, at)
    assert then[-1] == "before"
    assert _seen(store, project, at) == then
    assert _seen(store, project, store.settled())[-1] == "slow"


def test_those_who_write_for_a_moment_are_waited_for(store: Store, project: Project) -> None:
    with _writing(store, project, "quick") as go_on:
        threading.Timer(0.1, go_on.set).start()
        at = store.settled()
    assert _seen(store, project, at)[-1] == "quick"


def test_the_past_is_settled_up_to_now_where_nobody_writes(store: Store, project: Project) -> None:
    before = datetime.now(UTC)
    found = store.settled()
    assert before - timedelta(seconds=1) <= found <= datetime.now(UTC) + timedelta(seconds=1)
    assert found.tzinfo is UTC


@pytest.mark.postgresql
def test_whoever_begins_to_write_later_is_not_waited_for(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("Writers of a file come one after the other.")
    monkeypatch.setattr(settled, "PATIENCE_SECONDS", 0.2)
    with _writing(store, project, "one"), _writing(store, project, "two") as two:
        two.set()
        at = store.settled()
        assert _seen(store, project, at) == []
    assert _seen(store, project, at) == []
    assert set(_seen(store, project, store.settled())) == {"one", "two"}


def test_many_who_write_at_once_never_change_an_old_report(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "PATIENCE_SECONDS", 0.02)
    ended = threading.Event()

    def write(who: int) -> None:
        own = open_store(str(store.engine.url.render_as_string(hide_password=False)))
        for turn in count():
            if ended.wait(0.002):
                break
            with own.begin() as tx:
                tx.results.note(project.id, "writing", f"{who} {turn}")
        own.close()

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    printed = {}
    for _ in range(40):
        at = store.settled()
        printed[at] = sorted(_seen(store, project, at))
    ended.set()
    for thread in threads:
        thread.join(30)
    assert printed == {at: sorted(_seen(store, project, at)) for at in printed}
    assert len(set(map(len, printed.values()))) > 1
