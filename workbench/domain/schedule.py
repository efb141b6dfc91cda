"""A schedule: its rules, what the database remembers of it, and its time, which never runs back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from workbench.domain.windows import Window

#: A clock that was set back by more than this was wrong before, not now.
LARGEST_SETBACK = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=1)
#: What nobody but a person can mend is tried again too, but not as if it would mend itself.
SLOW_PAUSE = timedelta(minutes=10)

Following = Callable[[datetime], datetime | None]


class ScheduleState(StrEnum):
    """Whether rounds are started."""

    ACTIVE = "active"
    #: By a person, until that person says so.
    PAUSED = "paused"
    #: At the budget, the deadline, the target or a stopping rule's word.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the database remembers of a project's schedule.

    Attributes:
        reason: Why it is paused or stopped; of an active one, what failed last.
        next_fire_at: The tick of the cron expression that is waited for, or that waits itself.
        next_look_at: When a worker looks at the project next.
        wanted_at: When somebody asked for a round out of turn.
        failures: How often in a row something failed.
        retry_at: Until when nothing is tried after a failure.
        updated_at: When it was last looked at; grows, whatever the clock does.
        woken_at: When the labeler last said that something happened there.
    """

    project_id: int
    state: ScheduleState
    reason: str | None
    next_fire_at: datetime | None
    next_look_at: datetime
    wanted_at: datetime | None
    last_started_at: datetime | None
    failures: int
    retry_at: datetime | None
    updated_at: datetime
    woken_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What ``[schedule]`` says."""

    cron: str | None = None
    timezone: str = "UTC"
    windows: tuple[Window, ...] = ()
    after_close: bool = False
    every_days: float | None = None
    on_drift: float | None = None
    close_after_days: float | None = None
    deadline: date | None = None
    max_rounds: int | None = None
    target: float | None = None

    @property
    def start_rounds(self) -> bool:
        """Whether anything at all starts rounds."""
        return bool(self.cron or self.after_close or self.every_days or self.on_drift)


def steady(now: datetime, schedule: Schedule) -> datetime:
    """The schedule's time: a clock that was set back does not bring back what has been done."""
    behind = schedule.updated_at - now
    return schedule.updated_at if timedelta() < behind <= LARGEST_SETBACK else now


def aim(stored: datetime | None, now: datetime, following: Following | None) -> datetime | None:
    """Which tick is waited for: the stored one if it is the expression's own, else the next one from now.

    A tick whose time has come stays until it is used or passed over, so none is lost while nobody looks;
    those that come meanwhile are one with it.
    """
    if following is None:
        return None
    if stored is not None and stored <= now and following(stored - INSTANT) == stored:
        return stored
    return following(now)


def is_due(schedule: Schedule, now: datetime, look_every: timedelta) -> bool:
    """Whether a worker should look: it is time, the clock was set back, or the labeler has called."""
    waits_too_long = schedule.next_look_at > now + look_every + INSTANT
    called = schedule.woken_at is not None and schedule.woken_at > schedule.updated_at
    return schedule.next_look_at <= now or waits_too_long or called


def pause_after(failures: int, *, heals: bool, coin: float) -> timedelta:
    """How long to wait after so many failures in a row: twice as long each time, up to an hour.

    ``coin``, from 0 to 1, takes up to a half away: many who failed together do not come back together.
    """
    first = FIRST_PAUSE if heals else SLOW_PAUSE
    longest = min(first * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE)
    return longest * (1 - coin / 2)
