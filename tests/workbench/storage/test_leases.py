"""The law of leases, on every database: one clock for all, and a clock that jumps strands no round."""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_http import open_client
from connectors.retry import Patience
from workbench.domain.errors import RoundBusy
from workbench.domain.records import TaskKind
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import LEASE_SECONDS
from workbench.storage import store as storage
from workbench.storage.store import Store, Transaction, open_store

SECONDS = 180.0
HOUR = timedelta(hours=1)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(empty_database_url: str, clock: Clock) -> Iterator[Store]:
    opened = open_store(empty_database_url, clock)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def planned(store: Store) -> Round:
    with store.begin() as tx:
        project = tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)
        return tx.rounds.plan(project.id, batch_size=3, seed=9, config={})


def _take(tx: Transaction, found: Round, owner: str) -> Round:
    return tx.rounds.take(found.id, owner, SECONDS, is_gone=lambda _owner: False)


def test_a_lease_that_is_renewed_in_time_is_never_taken_and_one_that_is_not_is(
    store: Store, clock: Clock, planned: Round
) -> None:
    with store.begin() as tx:
        held = _take(tx, planned, "first")
    for _ in range(5):
        clock.now += timedelta(seconds=SECONDS - 1)
        with pytest.raises(RoundBusy, match="first"), store.begin() as tx:
            _take(tx, planned, "second")
        with store.begin() as tx:
            tx.rounds.renew(held, SECONDS)
    clock.now += timedelta(seconds=SECONDS + 1)
    with store.begin() as tx:
        second = _take(tx, planned, "second")
        assert second.fence == held.fence + 1
        tx.rounds.move(second, RoundState.SCORED)
    for write in (
        lambda tx: tx.rounds.renew(held, SECONDS),
        lambda tx: tx.rounds.hold(held),
        lambda tx: tx.rounds.release(held),
        lambda tx: tx.rounds.fail(held, "too late"),
        lambda tx: tx.rounds.move(held, RoundState.SCORED),
        lambda tx: tx.rounds.move(held, RoundState.SELECTED),
        lambda tx: tx.rounds.cancel(held),
    ):
        with pytest.raises(RoundBusy, match="taken over"), store.begin() as tx:
            write(tx)
    with store.begin() as tx:
        now = tx.rounds.get(planned.id)
    assert (now.lease_owner, now.state) == ("second", RoundState.SCORED)


def test_a_clock_that_went_back_strands_a_round_for_one_lease_and_not_for_the_hour(
    store: Store, clock: Clock, planned: Round
) -> None:
    with store.begin() as tx:
        _take(tx, planned, "died on another machine")
    clock.now -= HOUR
    with store.begin() as tx:
        tx.rounds.trim(planned.id, SECONDS)
    with pytest.raises(RoundBusy), store.begin() as tx:
        _take(tx, planned, "second")
    clock.now += timedelta(seconds=SECONDS + 1)
    with store.begin() as tx:
        assert _take(tx, planned, "second").lease_owner == "second"


def test_a_clock_that_went_back_takes_nothing_from_a_holder_that_lives(
    store: Store, clock: Clock, planned: Round
) -> None:
    with store.begin() as tx:
        held = _take(tx, planned, "first")
    clock.now -= HOUR
    for _ in range(4):
        with store.begin() as tx:
            tx.rounds.trim(planned.id, SECONDS)
        with store.begin() as tx:
            tx.rounds.renew(held, SECONDS)
        clock.now += timedelta(seconds=SECONDS / 3)
    with pytest.raises(RoundBusy), store.begin() as tx:
        _take(tx, planned, "second")


def test_a_lease_that_ends_in_time_is_not_cut(store: Store, clock: Clock, planned: Round) -> None:
    with store.begin() as tx:
        held = _take(tx, planned, "first")
    clock.now += timedelta(seconds=10)
    with store.begin() as tx:
        tx.rounds.trim(planned.id, SECONDS)
        assert tx.rounds.get(planned.id).lease_until == held.lease_until


@pytest.mark.postgresql
def test_leases_of_machines_whose_clocks_differ_go_by_the_clock_of_the_server(
    postgresql_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = open_store(postgresql_database), open_store(postgresql_database)
    here.upgrade()
    with here.begin() as tx:
        project = tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)
        held = _take(tx, tx.rounds.plan(project.id, batch_size=3, seed=9, config={}), "here")
    for wrong in (-HOUR, HOUR):
        monkeypatch.setattr(storage, "utc_now", lambda wrong=wrong: datetime.now(UTC) + wrong)
        with pytest.raises(RoundBusy), there.begin() as tx:
            _take(tx, held, "there")
        with there.begin() as tx:
            tx.workers.seen("there", None)
            assert abs(tx.now - datetime.now(UTC)) < timedelta(minutes=1)
            assert tx.workers.all()[0].silent_seconds < 60
    here.close()
    there.close()


def test_a_lease_outlasts_the_longest_request_to_a_labeler() -> None:
    timeout = inspect.signature(connect).parameters["timeout"].default
    with open_client("http://127.0.0.1:9", "a-key", timeout=timeout) as client:
        once = client.timeout.as_dict()
    # The last try may begin just before the ceiling; then it connects, sends, and waits for the answer.
    longest = Patience().ceiling + sum(float(once[part] or 0) for part in ("connect", "write", "read"))
    assert timeout < longest < LEASE_SECONDS


def test_workers_are_listed_with_what_they_do_and_for_how_long_they_were_silent(
    store: Store, clock: Clock
) -> None:
    with store.begin() as tx:
        tx.workers.seen("ada:1", None)
        tx.workers.seen("ben:2", "scores round 3")
    clock.now += timedelta(seconds=30)
    with store.begin() as tx:
        tx.workers.seen("ada:1", "trains round 4")
    with store.read() as tx:
        found = {worker.name: worker for worker in tx.workers.all()}
    assert {name: (worker.doing, worker.silent_seconds) for name, worker in found.items()} == {
        "ada:1": ("trains round 4", 0.0),
        "ben:2": ("scores round 3", 30.0),
    }
    assert found["ada:1"].started_at < found["ada:1"].seen_at


def test_a_worker_is_forgotten_when_it_says_so_or_after_a_silent_day(store: Store, clock: Clock) -> None:
    with store.begin() as tx:
        for name in ("ends", "dies", "lives"):
            tx.workers.seen(name, None)
        tx.workers.gone("ends")
        assert [worker.name for worker in tx.workers.all()] == ["dies", "lives"]
    clock.now += timedelta(hours=25)
    with store.begin() as tx:
        tx.workers.seen("lives", None)
        assert [worker.name for worker in tx.workers.all()] == ["lives"]
