"""The law of the heartbeat: whoever works keeps the round, and whoever was overtaken hears of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench.domain.errors import DatabaseAway, RoundBusy
from workbench.domain.records import TaskKind
from workbench.domain.rounds import Round
from workbench.steps import heartbeat
from workbench.steps.heartbeat import Watch
from workbench.storage.store import Store, open_store

#: Of the lease; a beat comes every third of it.
SECONDS = 0.3


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

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
def held(store: Store) -> Round:
    with store.begin() as tx:
        project = tx.projects.ensure("p", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config={})
        return tx.rounds.take(planned.id, "worker", SECONDS, is_gone=lambda _: False)


def _now(store: Store, held: Round) -> Round:
    with store.read() as tx:
        return tx.rounds.get(held.id)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _take(store: Store, held: Round, *, gone: bool) -> Round:
    with store.begin() as tx:
        return tx.rounds.take(held.id, "another", 3600, is_gone=lambda _: gone)


def test_work_that_takes_many_leases_is_never_taken_from_its_worker(
    store: Store, held: Round, clock: Clock
) -> None:
    watch = Watch()
    with watch.keep(store, held, SECONDS):
        for _ in range(3):
            clock.now += timedelta(seconds=SECONDS * 0.9)
            _until(lambda: _now(store, held).lease_until == clock.now + timedelta(seconds=SECONDS))
            with pytest.raises(RoundBusy, match="worker"):
                _take(store, held, gone=False)
            watch.check()
    clock.now += timedelta(seconds=SECONDS * 1.1)
    assert _take(store, held, gone=False).lease_owner == "another", "nothing renews it after the work"


def test_a_worker_that_was_overtaken_stops_at_its_next_report(store: Store, held: Round) -> None:
    reports: list[int] = []

    @contextmanager
    def bar(_name: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, _total: reports.append(done)

    watch = Watch()
    progress = watch.over(bar)
    with watch.keep(store, held, SECONDS), progress("Training") as report:
        report(1, 1000)
        _take(store, held, gone=True)

        def stopped() -> bool:
            try:
                report(2, 1000)
            except RoundBusy as busy:
                return "taken over" in str(busy)
            return False

        _until(stopped)
        seen = len(reports)
        with pytest.raises(RoundBusy):
            report(3, 1000)
    assert len(reports) == seen
    assert _now(store, held).lease_owner == "another"


def test_a_database_that_is_away_for_a_beat_costs_nothing(
    store: Store, held: Round, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[None] = []
    begin = Store.begin

    def sometimes(self: Store) -> object:
        if len(failures) < 3:
            failures.append(None)
            raise DatabaseAway("The database answered: nothing.")
        return begin(self)

    watch = Watch()
    monkeypatch.setattr(Store, "begin", sometimes)
    with watch.keep(store, held, SECONDS):
        clock.now += timedelta(seconds=SECONDS * 0.9)
        _until(lambda: _now(store, held).lease_until == clock.now + timedelta(seconds=SECONDS))
        watch.check()
    assert len(failures) == 3


def test_without_a_lease_nothing_is_watched() -> None:
    watch = Watch()
    told: list[tuple[int, int]] = []
    with watch.over(lambda _name: nullcontext(lambda *call: told.append(call)))("Reading") as report:
        report(1, 2)
    assert told == [(1, 2)]


def test_work_that_is_silent_for_too_long_is_left_to_others_and_kept_again_when_it_speaks(
    store: Store, held: Round, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    with watch.keep(store, held, SECONDS):
        monkeypatch.setattr(heartbeat, "STUCK_AFTER_SECONDS", 0.0)
        time.sleep(SECONDS)
        clock.now += timedelta(seconds=SECONDS * 0.9)
        time.sleep(SECONDS)
        assert _now(store, held).lease_until == clock.now + timedelta(seconds=SECONDS * 0.1)
        monkeypatch.setattr(heartbeat, "STUCK_AFTER_SECONDS", 3600.0)
        watch.check()
        _until(lambda: _now(store, held).lease_until == clock.now + timedelta(seconds=SECONDS))
