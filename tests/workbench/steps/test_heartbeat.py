"""The law of the heartbeat: whoever works keeps the round, and whoever was overtaken hears of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench.domain.errors import DatabaseAway, RoundBusy
from workbench.domain.records import TaskKind
from workbench.domain.rounds import Round, RoundState
from workbench.steps import heartbeat
from workbench.steps.heartbeat import Watch
from workbench.storage.rounds import Rounds
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


def test_how_far_the_work_has_come_can_be_seen_while_it_runs_and_not_after_it(
    store: Store, held: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "TELL_SECONDS", 0.02)
    watch = Watch()
    progress = watch.over(lambda _name: nullcontext(lambda _done, _total: None))

    def seen() -> tuple[str, int, int] | None:
        advance = _now(store, held).advance
        return (advance.words, advance.done, advance.total) if advance else None

    with watch.keep(store, held, 3600):
        with progress("Scoring 1000 items") as report:
            _until(lambda: seen() == ("Scoring 1000 items", 0, 0))
            report(430, 1000)
            _until(lambda: seen() == ("Scoring 1000 items", 430, 1000))
            assert _now(store, held).advance.share == 0.43  # type: ignore[union-attr]
        _until(lambda: seen() is None)
        with progress("Training on 7 labels") as report:
            report(3, 30)
            _until(lambda: seen() == ("Training on 7 labels", 3, 30))
            with store.begin() as tx:
                tx.rounds.move(held, RoundState.SCORED)
            assert seen() is None, "what was under way belongs to the state before"
            report(30, 30)
            _until(lambda: seen() is not None)
    with store.begin() as tx:
        tx.rounds.release(held)
    assert seen() is None


def test_a_worker_that_was_overtaken_tells_nothing_of_the_round(
    store: Store, held: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "TELL_SECONDS", 0.02)
    watch = Watch()
    with watch.keep(store, held, 3600):
        _take(store, held, gone=True)
        watch.tell(heartbeat.Told("Scoring", 1, 2))

        def stopped() -> bool:
            try:
                watch.check()
            except RoundBusy:
                return True
            return False

        _until(stopped)
    assert _now(store, held).advance is None


def test_progress_is_written_with_the_beats_however_often_it_is_reported(
    store: Store, held: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "TELL_SECONDS", 0.1)
    written: list[int] = []
    tell = Rounds.tell

    def counted(self: Rounds, held: Round, words: str, done: int, total: int) -> None:
        written.append(done)
        tell(self, held, words, done, total)

    monkeypatch.setattr(Rounds, "tell", counted)
    watch = Watch()
    began = time.monotonic()
    with watch.keep(store, held, 3600):
        for done in range(2000):
            watch.tell(heartbeat.Told("Scoring", done, 2000))
        _until(lambda: written[-1:] == [1999])
    assert len(written) <= (time.monotonic() - began) / 0.1 + 1
