"""What a schedule does next: laws over a year of clocks that jump, then tables of cases."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.config.cron import next_tick
from workbench.domain.decisions import Act, Facts, decide, passes_over, refuse_wish
from workbench.domain.errors import RoundOpen, RoundProblem
from workbench.domain.rounds import Round, RoundState
from workbench.domain.schedule import (
    LONGEST_PAUSE,
    Rules,
    Schedule,
    ScheduleState,
    aim,
    is_due,
    pause_after,
    steady,
)
from workbench.domain.windows import parse_window

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)


def a_schedule(**changes: Any) -> Schedule:
    facts: dict[str, Any] = {
        "project_id": 1,
        "state": ScheduleState.ACTIVE,
        "reason": None,
        "next_fire_at": None,
        "next_look_at": NOW,
        "wanted_at": None,
        "last_started_at": None,
        "failures": 0,
        "retry_at": None,
        "updated_at": NOW - timedelta(minutes=1),
    }
    return Schedule(**(facts | changes))


def a_round(number: int = 0, state: RoundState = RoundState.CLOSED, **changes: Any) -> Round:
    facts: dict[str, Any] = {
        "id": number + 1,
        "project_id": 1,
        "number": number,
        "state": state,
        "failed_from": None,
        "batch_size": 5,
        "seed": 0,
        "strategy": None,
        "scoring_run_id": None,
        "model_run_id": None,
        "fence": 0,
        "lease_owner": None,
        "lease_until": None,
        "error": None,
        "created_at": NOW - 2 * DAY,
    }
    return Round(**(facts | changes))


def facts(*rounds: Round, schedule: Schedule | None = None, **changes: Any) -> Facts:
    return Facts(now=NOW, schedule=schedule or a_schedule(), rounds=rounds, **changes)


@given(
    seed=st.integers(0, 2**32),
    cron=st.sampled_from(["0 8 * * *", "30 2 * * *", "15 9 * * 1-5", "0 1 * * sun"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    workers=st.integers(1, 10),
)
@settings(max_examples=4, deadline=None)
def test_over_a_year_each_tick_is_used_once_whatever_the_clock_and_however_many_workers(
    seed: int, cron: str, zone: str, workers: int
) -> None:
    dice, following = random.Random(seed), partial(next_tick, cron, zone)
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    row = a_schedule(updated_at=begin, next_fire_at=following(begin))
    used, true_time = [], begin
    while true_time < end:
        # Soon after a tick was used is when a clock that goes back could bring it back.
        soon = bool(used) and true_time - used[-1] < timedelta(hours=3) and dice.random() < 0.5
        true_time += timedelta(minutes=1 if soon else dice.randint(60, 720))
        # Each worker sees the row as it was a moment ago, by a clock of its own that may be an hour behind.
        seen = row
        for _ in range(workers):
            clock = true_time - timedelta(minutes=dice.choice([0, 0, dice.randint(0, 60)]))
            now = steady(clock, seen)
            tick = aim(seen.next_fire_at, now, following)
            if seen == row and tick != seen.next_fire_at:
                pytest.fail(f"{tick} is waited for in place of {seen.next_fire_at}, at {now}")
            if tick is not None and tick <= now and seen == row:
                used.append(tick)
                row = replace(seen, next_fire_at=following(now), updated_at=steady(clock, seen))
    expected, tick = [], following(begin)
    while tick is not None and len(expected) < len(used):
        expected.append(tick)
        tick = following(tick)
    assert used == expected
    assert tick is not None
    assert tick > end - timedelta(hours=12)


def test_a_clock_that_was_set_back_does_not_bring_a_used_tick_back() -> None:
    following = partial(next_tick, "0 * * * *", "UTC")
    after = a_schedule(next_fire_at=following(NOW), updated_at=NOW)
    for minutes in range(61):
        now = steady(NOW - timedelta(minutes=minutes), after)
        assert aim(after.next_fire_at, now, following) == NOW + timedelta(hours=1)


def test_a_clock_that_was_wrong_by_a_week_is_believed_again() -> None:
    wrong = a_schedule(next_fire_at=NOW + 7 * DAY, updated_at=NOW + 7 * DAY)
    now = steady(NOW, wrong)
    assert now == NOW
    assert aim(wrong.next_fire_at, now, partial(next_tick, "0 * * * *", "UTC")) == NOW + timedelta(hours=1)


def test_ticks_that_came_while_nobody_looked_are_one() -> None:
    following = partial(next_tick, "0 8 * * *", "UTC")
    missed = datetime(2026, 2, 20, 8, tzinfo=UTC)
    assert aim(missed, NOW, following) == missed
    assert following(NOW) == datetime(2026, 3, 5, 8, tzinfo=UTC)


def test_a_tick_of_an_expression_that_was_changed_is_not_used() -> None:
    old = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
    assert aim(old, NOW, partial(next_tick, "0 8 * * *", "UTC")) == datetime(2026, 3, 5, 8, tzinfo=UTC)
    assert aim(old, NOW, None) is None


EVERY = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"next_look_at": NOW}, True),
        ({"next_look_at": NOW + timedelta(seconds=30)}, False),
        # The clock was set back an hour: nobody waits an hour for it.
        ({"next_look_at": NOW + timedelta(hours=1)}, True),
        ({"next_look_at": NOW + EVERY, "woken_at": NOW}, True),
        ({"next_look_at": NOW + EVERY, "woken_at": NOW - DAY}, False),
    ],
)
def test_a_look_is_due_by_time_by_a_call_or_by_a_clock_set_back(changes: Any, expected: bool) -> None:
    assert is_due(a_schedule(**changes), NOW, EVERY) is expected


@given(failures=st.integers(1, 10_000), coin=st.floats(0, 1), heals=st.booleans())
def test_pauses_grow_up_to_an_hour_and_never_beyond(failures: int, coin: float, heals: bool) -> None:
    pause = pause_after(failures, heals=heals, coin=coin)
    assert timedelta(seconds=7) < pause <= LONGEST_PAUSE
    assert pause_after(failures + 1, heals=heals, coin=coin) >= pause
    assert pause_after(failures, heals=False, coin=coin) >= pause


TICK = {"next_fire_at": NOW - timedelta(minutes=5)}
OPEN = a_round(1, RoundState.LABELING, released_at=NOW - DAY)
CLOSED = a_round(0)


@pytest.mark.parametrize(
    ("rules", "seen", "act", "words"),
    [
        # Nothing configured: labels come in, nothing is started.
        (Rules(), facts(CLOSED), Act.LOOK, "Nothing under [schedule]"),
        # An open round.
        (Rules(after_close=True), facts(CLOSED, OPEN), Act.LOOK, "Round 1 waits for its labels"),
        (Rules(), facts(OPEN, busy="host:1"), Act.WAIT, "host:1 is at work on round 1"),
        (Rules(), facts(a_round(1, RoundState.SCORED)), Act.RESUME, "'scored' and goes on"),
        (Rules(), facts(a_round(1, RoundState.SETTLED)), Act.RESUME, "'settled' and goes on"),
        (Rules(), facts(a_round(1, RoundState.FAILED, error="no disk")), Act.RESUME, "no disk"),
        (Rules(close_after_days=1.0), facts(OPEN), Act.CLOSE, "for 1 days"),
        (Rules(close_after_days=1.1), facts(OPEN), Act.LOOK, "waits"),
        # An open round goes on whatever the schedule's state.
        (
            Rules(),
            facts(OPEN, schedule=a_schedule(state=ScheduleState.PAUSED, reason="x")),
            Act.LOOK,
            "waits for its labels",
        ),
        # A failure is waited out, and said.
        (
            Rules(after_close=True),
            facts(schedule=a_schedule(failures=3, retry_at=NOW + DAY, reason="Label Studio is away")),
            Act.WAIT,
            "3 times in a row and is tried again at 2026-03-05 12:00 UTC: Label Studio is away",
        ),
        (Rules(after_close=True), facts(schedule=a_schedule(failures=1, retry_at=NOW)), Act.START, ""),
        # Triggers.
        (Rules(cron="0 8 * * *"), facts(CLOSED, schedule=a_schedule(**TICK)), Act.START, "tick of"),
        (
            Rules(cron="0 8 * * *", timezone="Europe/Berlin"),
            facts(CLOSED, schedule=a_schedule(next_fire_at=NOW + DAY)),
            Act.LOOK,
            "waits for the tick of 2026-03-05 13:00 Europe/Berlin",
        ),
        (Rules(after_close=True), facts(), Act.START, "no round yet"),
        (Rules(after_close=True), facts(CLOSED), Act.START, "Round 0 is closed"),
        (Rules(after_close=True), facts(a_round(0, RoundState.CANCELLED)), Act.LOOK, "given up"),
        (Rules(every_days=2.0), facts(CLOSED), Act.START, "2 days have passed"),
        (Rules(every_days=3.0), facts(CLOSED), Act.LOOK, "2026-03-05 12:00"),
        (Rules(every_days=3.0), facts(), Act.START, ""),
        (Rules(on_drift=0.01), facts(CLOSED), Act.LOOK, "the pool to drift"),
        (Rules(on_drift=0.01), facts(CLOSED, new_items=True), Act.TEST_DRIFT, "new items"),
        (Rules(on_drift=0.01), facts(CLOSED, new_items=True, drift="same"), Act.LOOK, "same"),
        (Rules(on_drift=0.01), facts(CLOSED, new_items=True, drift="far", drifted=True), Act.START, "far"),
        # Windows: a round starts inside only, and says what it waits for.
        (
            Rules(after_close=True, windows=(parse_window("thu 08:00-09:00"),)),
            facts(CLOSED),
            Act.LOOK,
            "working hours, from 2026-03-05 08:00 UTC",
        ),
        (Rules(after_close=True, windows=(parse_window("wed 08:00-18:00"),)), facts(CLOSED), Act.START, ""),
        # Out of turn: outside windows and cron, and during a pause; not after a stop.
        (
            Rules(windows=(parse_window("thu 08:00-09:00"),)),
            facts(CLOSED, schedule=a_schedule(wanted_at=NOW)),
            Act.START,
            "out of turn",
        ),
        (
            Rules(),
            facts(CLOSED, schedule=a_schedule(wanted_at=NOW, state=ScheduleState.PAUSED, reason="x")),
            Act.START,
            "out of turn",
        ),
        (
            Rules(max_rounds=1),
            facts(CLOSED, schedule=a_schedule(wanted_at=NOW, state=ScheduleState.PAUSED, reason="x")),
            Act.STOP,
            "max_rounds",
        ),
        (
            Rules(after_close=True),
            facts(CLOSED, schedule=a_schedule(state=ScheduleState.PAUSED, reason="holidays")),
            Act.LOOK,
            "paused: holidays",
        ),
        (
            Rules(after_close=True),
            facts(
                CLOSED, schedule=a_schedule(state=ScheduleState.STOPPED, reason="the budget", wanted_at=NOW)
            ),
            Act.LOOK,
            "stopped: the budget",
        ),
        # Ends.
        (Rules(after_close=True, deadline=date(2026, 3, 4)), facts(CLOSED), Act.START, ""),
        (Rules(after_close=True, deadline=date(2026, 3, 3)), facts(CLOSED), Act.STOP, "2026-03-03"),
        # In Kiritimati it is Thursday already.
        (
            Rules(after_close=True, deadline=date(2026, 3, 4), timezone="Pacific/Kiritimati"),
            facts(CLOSED),
            Act.STOP,
            "deadline",
        ),
        (Rules(after_close=True, max_rounds=1), facts(CLOSED), Act.STOP, "1 rounds were made"),
        (Rules(max_rounds=1), facts(a_round(0, RoundState.CANCELLED)), Act.LOOK, ""),
        (Rules(after_close=True, target=0.9), facts(CLOSED, low=0.9), Act.STOP, "target is reached"),
        (Rules(after_close=True, target=0.9), facts(CLOSED, low=0.89), Act.START, ""),
        (Rules(after_close=True, target=0.9), facts(CLOSED), Act.START, ""),
        # An end does not end the round that is open.
        (Rules(deadline=date(2026, 3, 3), target=0.1), facts(OPEN, low=0.9), Act.LOOK, "waits"),
    ],
)
def test_what_is_done_follows_from_rules_and_facts(rules: Rules, seen: Facts, act: Act, words: str) -> None:
    decision = decide(rules, seen)
    assert decision.act is act
    assert words in decision.words


def test_a_tick_that_finds_an_open_round_is_passed_over_and_one_that_finds_none_is_not() -> None:
    rules = Rules(cron="0 8 * * *")
    words = passes_over(rules, facts(OPEN, schedule=a_schedule(**TICK)))
    assert words is not None
    assert "2026-03-04 11:55 UTC was skipped: round 1 is open" in words
    assert passes_over(rules, facts(CLOSED, schedule=a_schedule(**TICK))) is None
    assert passes_over(rules, facts(OPEN, schedule=a_schedule(next_fire_at=NOW + DAY))) is None


def test_a_round_out_of_turn_is_refused_after_a_stop_and_while_one_is_open() -> None:
    refuse_wish(a_schedule(), None)
    with pytest.raises(RoundProblem, match="workbench schedule resume"):
        refuse_wish(a_schedule(state=ScheduleState.STOPPED, reason="the budget"), None)
    with pytest.raises(RoundOpen, match="Round 1 is open"):
        refuse_wish(a_schedule(), OPEN)
