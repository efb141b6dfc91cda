"""When a cron expression comes next, in a time zone, across daylight saving.

The five fields of crontab: minute, hour, day of month, month, day of week; 0 and 7 are Sunday, and where both
kinds of day are named, either will do. APScheduler walks the clock on the wall; what that clock's jumps
mean is said here. A time that is left out in spring comes as much later as the clock jumps; one that comes
twice in autumn counts once, unless the expression names every hour: then it counts both times.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
WEEK = len(DAYS)
#: How far the order of times on the wall and their order in truth may differ.
REACH = timedelta(hours=3)
EXAMPLE = 'expected five fields "minute hour day month weekday", as in "0 8 * * mon-fri"'


def next_tick(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first tick after a moment, in UTC; None if it never comes again.

    Raises:
        ValueError: The expression can not be read.
    """
    zone = ZoneInfo(timezone)
    hourly = expression.split()[1:2] == ["*"]
    found: datetime | None = None
    for wall in _walls(expression, after.astimezone(zone).replace(tzinfo=None) - REACH):
        if found is not None and wall > found.astimezone(zone).replace(tzinfo=None) + REACH:
            break
        for moment in _moments(wall, zone, hourly=hourly):
            if moment > after and (found is None or moment < found):
                found = moment
    return found


def check_cron(expression: str) -> None:
    """Refuse an expression that can not be read, or that never comes.

    Raises:
        ValueError: In words.
    """
    try:
        first = next(_walls(expression, datetime(2024, 1, 1)), None)  # noqa: DTZ001  # a time on the wall
    except ValueError as error:
        raise ValueError(f"{error}; {EXAMPLE}") from error
    if first is None:
        raise ValueError(f"there is no such day; {EXAMPLE}")


def _walls(expression: str, start: datetime) -> Iterator[datetime]:
    """All times on the wall from ``start`` on that the expression names, in order, each once."""
    last: datetime | None = None
    for wall in heapq.merge(*(_walk(trigger, start) for trigger in _triggers(expression))):
        if wall != last:
            yield wall
        last = wall


def _walk(trigger: "CronTrigger", start: datetime) -> Iterator[datetime]:
    # As if the wall were in UTC, where no clock jumps.
    at: datetime | None = start.replace(tzinfo=UTC)
    while at is not None and (at := trigger.get_next_fire_time(None, at)) is not None:
        yield at.replace(tzinfo=None)
        at += timedelta(minutes=1)


def _moments(wall: datetime, zone: ZoneInfo, *, hourly: bool) -> Iterator[datetime]:
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    yield first
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if hourly and second > first:
        yield second


def _triggers(expression: str) -> list["CronTrigger"]:
    from apscheduler.triggers.cron import CronTrigger

    fields = expression.split()
    if len(fields) != 5:
        raise ValueError(f"{len(fields)} fields found")
    minute, hour, day, month, weekday = fields
    weekday = _weekdays(weekday)
    either = [(day, "*"), ("*", weekday)] if "*" not in (day[0], weekday[0]) else [(day, weekday)]
    return [
        CronTrigger.from_crontab(f"{minute} {hour} {days} {month} {weekdays}", timezone=UTC)
        for days, weekdays in either
    ]


def _weekdays(field: str) -> str:
    """APScheduler counts days from Monday, crontab from Sunday: names mean the same to both."""
    if field == "*":
        return field
    numbers = {number for part in field.split(",") for number in _span(part.lower())}
    return ",".join(DAYS[number] for number in sorted(numbers))


def _span(part: str) -> Iterator[int]:
    days, _, step = part.partition("/")
    first, _, last = ("0", "-", "6") if days == "*" else days.partition("-")
    start = _weekday(first)
    end = _weekday(last or first)
    if not (step or "1").isdigit() or int(step or "1") < 1:
        raise ValueError(f"{step!r} is no step of weekdays")
    for number in range(start, end + 1 if end >= start else end + 1 + WEEK, int(step or "1")):
        yield number % WEEK


def _weekday(name: str) -> int:
    if name in DAYS:
        return DAYS.index(name)
    if name.isdigit() and int(name) <= WEEK:
        return int(name)
    raise ValueError(f"{name!r} is no weekday")
