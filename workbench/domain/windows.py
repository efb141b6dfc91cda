"""Working hours: windows of a week on the clock on the wall, such as ``mon-fri 08:00-18:00``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORM = re.compile(r"(?:(?P<days>[a-z,\- ]+?)\s+)?(?P<start>\d\d?:\d\d)\s*-\s*(?P<end>\d\d?:\d\d)")
EXPECTED = 'expected days and hours, as in "mon-fri 08:00-18:00" or "sat,sun 22:00-06:00"'
MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From ``start`` until ``end`` on each of the days; one that ends before it starts lasts past midnight.

    Days count from Monday, 0. Where ``start`` and ``end`` are equal the window lasts a whole day.
    """

    days: frozenset[int]
    start: time
    end: time

    def holds(self, wall: datetime) -> bool:
        """Whether a time on the wall lies inside."""
        today, yesterday = wall.weekday() in self.days, (wall.weekday() - 1) % len(DAYS) in self.days
        clock = wall.time()
        if self.start < self.end:
            return today and self.start <= clock < self.end
        return (today and clock >= self.start) or (yesterday and clock < self.end)


def parse_window(text: str) -> Window:
    """Read a window; without days it is every day's.

    Raises:
        ValueError: With what was expected.
    """
    found = FORM.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no window; {EXPECTED}")
    end = found["end"]
    return Window(
        days=frozenset(_days(found["days"] or "mon-sun", text)),
        start=_clock(found["start"], text),
        end=MIDNIGHT if end == "24:00" else _clock(end, text),
    )


def is_open(windows: Sequence[Window], now: datetime, timezone: str) -> bool:
    """Whether a round may start now; always where there is no window."""
    wall = now.astimezone(ZoneInfo(timezone))
    return not windows or any(window.holds(wall) for window in windows)


def next_opening(windows: Sequence[Window], now: datetime, timezone: str) -> datetime | None:
    """When the next window opens, in UTC."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    starts = [
        datetime.combine(day, window.start, zone).astimezone(UTC)
        for ahead in range(len(DAYS) + 1)
        for window in windows
        if (day := today + timedelta(days=ahead)).weekday() in window.days
    ]
    return min((start for start in starts if start > now), default=None)


def _clock(text: str, window: str) -> time:
    hours, _, minutes = text.partition(":")
    try:
        return time(int(hours), int(minutes))
    except ValueError as error:
        raise ValueError(f"{window!r}: there is no {text}; {EXPECTED}") from error


def _days(text: str, window: str) -> set[int]:
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{window!r}: {part!r} is no day of {', '.join(DAYS)}; {EXPECTED}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % len(DAYS) for day in range(start, end + 1 if end >= start else end + 1 + len(DAYS))}
    return found
