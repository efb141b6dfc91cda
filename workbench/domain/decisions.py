"""What a schedule does next: pure decisions from its rules, its row, the rounds and the time.

A schedule starts rounds and goes on with them; how a round works is its own business (``domain/rounds.py``).
Whatever its state, an open round goes on to its end and labels come in: *paused* and *stopped* mean that no
further round is started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from workbench.domain.errors import RoundOpen, RoundProblem
from workbench.domain.rounds import Round, RoundState
from workbench.domain.schedule import Rules, Schedule, ScheduleState
from workbench.domain.windows import is_open, next_opening


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when somebody looks.

    Attributes:
        now: The schedule's time, which never runs back (``steady``).
        rounds: All rounds, oldest first.
        busy: Who holds the open round and lives.
        drift: What the last test of the newest items said; None while it has not been made.
        drifted: Whether it found that they differ.
        new_items: Whether the pool has received anything since the last round was started.
        low: The lower end of the headline metric's interval at the last budget point; the least of the
            last two where each was measured on random picks of its own.
    """

    now: datetime
    schedule: Schedule
    rounds: Sequence[Round] = ()
    busy: str | None = None
    new_items: bool = False
    drift: str | None = None
    drifted: bool = False
    low: float | None = None

    @property
    def current(self) -> Round | None:
        """The open round."""
        return next((found for found in self.rounds if not found.finished), None)


class Act(StrEnum):
    """All that a schedule can do."""

    #: Start a round.
    START = "start"
    #: Bring labels in; go on if the open round is answered.
    LOOK = "look"
    #: Go on with the answers that are there.
    CLOSE = "close"
    #: Go on with a round that was interrupted or has failed.
    RESUME = "resume"
    #: Test whether what the pool received differs from what it held.
    TEST_DRIFT = "test-drift"
    #: Start no further round.
    STOP = "stop"
    #: Nothing.
    WAIT = "wait"


class Decision(NamedTuple):
    """What is done next, and why."""

    act: Act
    words: str


def passes_over(rules: Rules, facts: Facts) -> str | None:
    """Why the tick that waits is passed over; None if it is not, or none waits."""
    tick, current = facts.schedule.next_fire_at, facts.current
    if current is None or not _ticks(rules, facts):
        return None
    open_round = f"round {current.number} is open (it is '{current.state}')"
    return f"The tick of {_wall(tick, rules)} was skipped: {open_round}"


def refuse_wish(schedule: Schedule, current: Round | None) -> None:
    """Refuse a round out of turn where none can be started.

    Raises:
        RoundProblem: The schedule has stopped, or a round is open.
    """
    if schedule.state is ScheduleState.STOPPED:
        raise RoundProblem(
            f"The schedule has stopped: {schedule.reason}. Raise what stopped it (`workbench budget set`, "
            "or workbench.toml), then type `workbench schedule resume`."
        )
    if current is not None:
        raise RoundOpen(
            f"Round {current.number} is open (it is '{current.state}'), and there is one at a time. "
            "Type `workbench round show` to see where it stands."
        )


def decide(rules: Rules, facts: Facts) -> Decision:
    """What to do now."""
    current = facts.current
    if facts.busy is not None and current is not None:
        return Decision(Act.WAIT, f"{facts.busy} is at work on round {current.number}")
    if facts.schedule.retry_at is not None and facts.schedule.retry_at > facts.now:
        return Decision(Act.WAIT, _after_failure(rules, facts))
    return _start(rules, facts) if current is None else _go_on(rules, facts, current)


def _go_on(rules: Rules, facts: Facts, current: Round) -> Decision:
    if current.state is RoundState.FAILED:
        return Decision(Act.RESUME, f"Round {current.number} has failed and is tried again: {current.error}")
    if current.state is not RoundState.LABELING:
        return Decision(Act.RESUME, f"Round {current.number} is '{current.state}' and goes on")
    since = current.released_at or current.created_at
    if rules.close_after_days is not None and facts.now >= since + timedelta(days=rules.close_after_days):
        return Decision(
            Act.CLOSE,
            f"Round {current.number} has been with the annotators for {rules.close_after_days:g} days and is "
            "closed with the answers that are there",
        )
    return Decision(Act.LOOK, f"Round {current.number} waits for its labels")


def _start(rules: Rules, facts: Facts) -> Decision:
    schedule = facts.schedule
    if schedule.state is ScheduleState.STOPPED:
        return Decision(Act.LOOK, f"The schedule has stopped: {schedule.reason}")
    reason = _end(rules, facts)
    if reason is not None and (schedule.wanted_at or schedule.state is ScheduleState.ACTIVE):
        return Decision(Act.STOP, reason)
    if schedule.wanted_at is not None:
        return Decision(Act.START, "A round was asked for out of turn")
    if schedule.state is ScheduleState.PAUSED:
        return Decision(Act.LOOK, f"The schedule is paused: {schedule.reason}")
    due = _trigger(rules, facts)
    if due.act is Act.START and not is_open(rules.windows, facts.now, rules.timezone):
        opens = next_opening(rules.windows, facts.now, rules.timezone)
        return Decision(Act.LOOK, f"{due.words}; it waits for working hours, from {_wall(opens, rules)}")
    return due


def _trigger(rules: Rules, facts: Facts) -> Decision:
    if _ticks(rules, facts):
        return Decision(Act.START, f"The tick of {_wall(facts.schedule.next_fire_at, rules)} has come")
    last = facts.rounds[-1] if facts.rounds else None
    if rules.after_close and (last is None or last.state is RoundState.CLOSED):
        closed = f"Round {last.number} is closed" if last else "There is no round yet"
        return Decision(Act.START, f"{closed}: the next one starts")
    if rules.every_days is not None:
        due = last.created_at + timedelta(days=rules.every_days) if last else facts.now
        if facts.now >= due:
            return Decision(Act.START, f"{rules.every_days:g} days have passed since the last round started")
    if rules.on_drift is not None and facts.new_items and last is not None:
        if facts.drift is None:
            return Decision(Act.TEST_DRIFT, "The pool has received new items")
        if facts.drifted:
            return Decision(Act.START, f"The pool has drifted: {facts.drift}")
    return Decision(Act.LOOK, _waits(rules, facts, last))


def _end(rules: Rules, facts: Facts) -> str | None:
    """Why no further round is started, as far as the database alone can tell."""
    today = facts.now.astimezone(ZoneInfo(rules.timezone)).date()
    if rules.deadline is not None and today > rules.deadline:
        return f"the deadline was {rules.deadline}"
    started = sum(found.state is not RoundState.CANCELLED for found in facts.rounds)
    if rules.max_rounds is not None and started >= rules.max_rounds:
        return f"{started} rounds were made, max_rounds is {rules.max_rounds}"
    if rules.target is not None and facts.low is not None and facts.low >= rules.target:
        return f"the target is reached: at least {facts.low:.3f}, target is {rules.target:g}"
    return None


def _ticks(rules: Rules, facts: Facts) -> bool:
    tick = facts.schedule.next_fire_at
    active = facts.schedule.state is ScheduleState.ACTIVE
    return bool(rules.cron) and active and tick is not None and tick <= facts.now


def _waits(rules: Rules, facts: Facts, last: Round | None) -> str:
    """What the next round waits for."""
    waits = []
    if rules.cron and facts.schedule.next_fire_at is not None:
        waits.append(f"the tick of {_wall(facts.schedule.next_fire_at, rules)}")
    if rules.every_days is not None and last is not None:
        waits.append(f"{_wall(last.created_at + timedelta(days=rules.every_days), rules)}")
    if rules.on_drift is not None:
        waits.append("the pool to drift" + (f" ({facts.drift})" if facts.drift else ""))
    if rules.after_close and last is not None:
        waits.append(f"`workbench schedule now`, because round {last.number} was given up")
    if not rules.start_rounds:
        return "Nothing under [schedule] starts rounds; `workbench schedule now` starts one"
    return f"The next round waits for {' or '.join(waits) or 'nothing that will ever come'}"


def _after_failure(rules: Rules, facts: Facts) -> str:
    schedule = facts.schedule
    times = "once" if schedule.failures == 1 else f"{schedule.failures} times in a row"
    return f"It failed {times} and is tried again at {_wall(schedule.retry_at, rules)}: {schedule.reason}"


def _wall(moment: datetime | None, rules: Rules) -> str:
    """A moment on the wall of the schedule's time zone."""
    if moment is None:
        return "never"
    return f"{moment.astimezone(ZoneInfo(rules.timezone)):%Y-%m-%d %H:%M} {rules.timezone}"
