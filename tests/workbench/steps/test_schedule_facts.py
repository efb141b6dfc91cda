"""What a schedule knows, where the clock was set back in between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench.domain.decisions import Facts
from workbench.domain.records import Project, TaskKind
from workbench.domain.rounds import LEASE_SECONDS
from workbench.steps.schedule_facts import ADDED, STEADY, facts_of
from workbench.storage.store import Store, Transaction, open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """Stands where it is put."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'w.db'}", clock)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def project(store: Store) -> Project:
    with store.begin() as tx:
        return tx.projects.ensure("p", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)


def facts(store: Store, project: Project) -> Facts:
    with store.begin() as tx:
        return facts_of(tx, project, tx.schedules.ensure(project.id))


def add(tx: Transaction, project: Project, name: str) -> None:
    tx.pool.add_shard(project.id, uri=name, rows=3, sha256=name, source="s")
    tx.results.note(project.id, ADDED, "3 items")


def test_what_was_tested_is_not_tested_again_although_the_clock_was_set_back(
    store: Store, project: Project, clock: Clock
) -> None:
    with store.begin() as tx:
        tx.rounds.plan(project.id, batch_size=3, seed=9, config={})
    clock.now = NOON + HOUR
    with store.begin() as tx:
        add(tx, project, "one")
    assert facts(store, project).drift is None
    clock.now = NOON
    with store.begin() as tx:
        tx.results.note(project.id, STEADY, "No difference was found")
    assert facts(store, project).drift == "No difference was found"
    with store.begin() as tx:
        add(tx, project, "two")
    assert facts(store, project).drift is None, "what came after the test is not tested"


def test_a_lease_that_another_clock_wrote_does_not_keep_others_away_for_long(
    store: Store, project: Project, clock: Clock
) -> None:
    clock.now = NOON + 10 * HOUR
    with store.begin() as tx:
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config={})
        tx.rounds.take(planned.id, "dead", LEASE_SECONDS, is_gone=lambda _owner: False)
    assert facts(store, project).busy == "dead"
    clock.now = NOON
    assert facts(store, project).busy is None, "it is tried to take it, which cuts it"
