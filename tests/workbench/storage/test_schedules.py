"""Schedules on every database: one looks, one starts, and nobody writes over what has changed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from workbench.config.cron import next_tick
from workbench.domain.records import LabelerLink, Project, TaskKind
from workbench.domain.schedule import Schedule, ScheduleState, aim, is_due, steady
from workbench.storage.store import Store

START = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
EVERY = timedelta(seconds=60)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(store, "_clock", made)
    return made


@pytest.fixture
def project(store: Store, clock: Clock) -> Project:
    with store.begin() as tx:
        return tx.projects.ensure("a project", kind=TaskKind.TEXT, classes=("a", "b"), seed=0)


def row(store: Store, project: Project) -> Schedule:
    with store.begin() as tx:
        return tx.schedules.ensure(project.id)


def at_once(store: Store, act: Callable[[], bool], times: int = 10) -> int:
    with ThreadPoolExecutor(times) as threads:
        return sum(threads.map(lambda _: act(), range(times)))


def test_of_ten_workers_that_see_the_same_one_looks(store: Store, project: Project) -> None:
    seen = row(store, project)

    def claim() -> bool:
        with store.begin() as tx:
            return tx.schedules.claim(seen, seen.next_look_at + EVERY)

    assert at_once(store, claim) == 1
    assert row(store, project).next_look_at == START + EVERY


def test_of_ten_workers_that_see_the_same_look_again_at_the_same_time_one_looks(
    store: Store, project: Project
) -> None:
    seen = row(store, project)

    def claim() -> bool:
        with store.begin() as tx:
            # A clock that was set back by just so much.
            return tx.schedules.claim(seen, seen.next_look_at)

    assert at_once(store, claim) == 1


def test_of_ten_workers_that_see_the_same_tick_one_starts_a_round(store: Store, project: Project) -> None:
    with store.begin() as tx:
        tx.schedules.aim(tx.schedules.ensure(project.id), START)
    seen = row(store, project)

    def start() -> bool:
        with store.begin() as tx:
            return tx.schedules.started(seen, START + timedelta(days=1))

    assert at_once(store, start) == 1
    found = row(store, project)
    assert (found.next_fire_at, found.last_started_at) == (START + timedelta(days=1), START)


def test_a_wish_is_used_up_once_and_wishing_twice_is_one_wish(
    store: Store, clock: Clock, project: Project
) -> None:
    row(store, project)
    with store.begin() as tx:
        tx.schedules.want(project.id)
    clock.now += timedelta(minutes=1)
    with store.begin() as tx:
        tx.schedules.want(project.id)
    seen = row(store, project)
    assert (seen.wanted_at, seen.next_look_at) == (START, clock.now)

    def start() -> bool:
        with store.begin() as tx:
            return tx.schedules.started(seen, None)

    assert at_once(store, start) == 1
    assert row(store, project).wanted_at is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_across_daylight_saving_with_a_clock_that_goes_back_each_tick_is_used_once(
    store: Store, clock: Clock, project: Project, zone: str
) -> None:
    following = partial(next_tick, "30 2 * * *", zone)
    used = []
    # Two days around the change of the clocks in Berlin; now and then the clock is an hour behind.
    for step in range(72):
        clock.now = START + timedelta(hours=step) - timedelta(minutes=60 * (step % 3 == 1))
        for _worker in range(2):
            with store.begin() as tx:
                seen = tx.schedules.ensure(project.id)
                now = steady(tx.now, seen)
                tick = aim(seen.next_fire_at, now, following)
                if tick is not None and tick <= now:
                    if tx.schedules.started(seen, following(now)):
                        used.append(tick)
                elif tick != seen.next_fire_at:
                    tx.schedules.aim(seen, tick)
    first = following(START)
    assert first is not None
    second = following(first)
    assert second is not None
    assert used == [first, second, following(second)]


def test_a_start_that_has_seen_another_tick_or_state_writes_nothing(store: Store, project: Project) -> None:
    seen = row(store, project)
    with store.begin() as tx:
        tx.schedules.pause(project.id, "holidays")
    with store.begin() as tx:
        assert not tx.schedules.started(seen, START)
        assert not tx.schedules.aim(seen, START)
        assert not tx.schedules.claim(seen, START + EVERY)
    assert row(store, project).last_started_at is None


def test_failures_are_counted_with_their_words_and_healed(store: Store, project: Project) -> None:
    row(store, project)
    with store.begin() as tx:
        tx.schedules.failed(project.id, "Label Studio is away", START + EVERY)
        tx.schedules.failed(project.id, "Label Studio is away", START + 2 * EVERY)
    found = row(store, project)
    assert (found.failures, found.retry_at, found.reason) == (2, START + 2 * EVERY, "Label Studio is away")
    with store.begin() as tx:
        tx.schedules.healed(project.id)
    found = row(store, project)
    assert (found.failures, found.retry_at, found.reason) == (0, None, None)


def test_who_asks_for_a_round_does_not_wait_for_what_failed_before(store: Store, project: Project) -> None:
    row(store, project)
    with store.begin() as tx:
        tx.schedules.failed(project.id, "Label Studio is away", START + EVERY)
        tx.schedules.want(project.id)
    assert row(store, project).retry_at is None


def test_why_it_is_paused_is_not_written_over_by_a_failure(store: Store, project: Project) -> None:
    row(store, project)
    with store.begin() as tx:
        tx.schedules.pause(project.id, "holidays")
        tx.schedules.failed(project.id, "Label Studio is away", START + EVERY)
        tx.schedules.healed(project.id)
    found = row(store, project)
    assert (found.state, found.reason) == (ScheduleState.PAUSED, "holidays")


def test_resuming_forgets_failures_and_ticks_that_have_passed(store: Store, project: Project) -> None:
    row(store, project)
    with store.begin() as tx:
        tx.schedules.aim(tx.schedules.ensure(project.id), START - EVERY)
        tx.schedules.failed(project.id, "x", START + EVERY)
        tx.schedules.stop(project.id, "the budget")
    assert row(store, project).state is ScheduleState.STOPPED
    with store.begin() as tx:
        tx.schedules.resume(project.id)
    found = row(store, project)
    assert (found.state, found.reason, found.next_fire_at, found.failures, found.retry_at) == (
        ScheduleState.ACTIVE,
        None,
        None,
        0,
        None,
    )


def test_a_call_of_the_labeler_makes_a_project_due_once(store: Store, clock: Clock, project: Project) -> None:
    seen = row(store, project)
    with store.begin() as tx:
        tx.schedules.claim(seen, START + EVERY)
        tx.projects.save_link(project.id, LabelerLink(labeler="x", external_id="1", url=""))
    assert not is_due(row(store, project), START, EVERY)
    clock.now += timedelta(seconds=5)
    with store.begin() as tx:
        tx.projects.wake(project.id)
    assert is_due(row(store, project), clock.now, EVERY)
    clock.now += timedelta(seconds=1)
    with store.begin() as tx:
        assert tx.schedules.claim(tx.schedules.ensure(project.id), clock.now + EVERY)
    assert not is_due(row(store, project), clock.now, EVERY)
