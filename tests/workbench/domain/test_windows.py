"""Working hours on the clock on the wall."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.domain.windows import is_open, next_opening, parse_window

WEEK = ("mon-fri 08:00-18:00", "sat 22:00-02:00")


def wall(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-01-05T07:59", False),
        ("2026-01-05T08:00", True),
        ("2026-01-05T17:59", True),
        ("2026-01-05T18:00", False),
        ("2026-01-10T09:00", False),
        ("2026-01-10T22:00", True),
        ("2026-01-11T01:59", True),
        ("2026-01-11T02:00", False),
        ("2026-01-11T22:30", False),
        # The same hours on the wall in summer.
        ("2026-07-06T08:00", True),
        ("2026-07-06T18:00", False),
    ],
)
def test_a_window_is_open_from_its_start_until_its_end_on_the_wall(when: str, expected: bool) -> None:
    windows = [parse_window(text) for text in WEEK]
    assert is_open(windows, wall(when), "Europe/Berlin") is expected


def test_without_windows_it_is_always_open_and_without_days_on_every_day() -> None:
    assert is_open([], wall("2026-01-04T03:00"), "Europe/Berlin")
    daily = [parse_window("22:00-06:00")]
    assert all(is_open(daily, wall(f"2026-01-0{day}T05:59"), "Europe/Berlin") for day in range(1, 8))


@pytest.mark.parametrize("text", ["00:00-24:00", "mon-sun 00:00-00:00"])
def test_a_whole_day_has_no_gap(text: str) -> None:
    windows = [parse_window(text)]
    assert all(is_open(windows, wall("2026-01-05T00:00") + timedelta(minutes=m), "UTC") for m in range(1440))


@given(
    minutes=st.integers(0, 60 * 24 * 365), zone=st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"])
)
@settings(max_examples=200, deadline=None)
def test_what_is_closed_opens_next_when_it_says_and_not_before(minutes: int, zone: str) -> None:
    windows = [parse_window(text) for text in WEEK]
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    opens = next_opening(windows, now, zone)
    assert opens is not None
    assert opens > now
    assert is_open(windows, opens, zone)
    if not is_open(windows, now, zone):
        assert not is_open(windows, now + (opens - now) / 2, zone)
        assert not is_open(windows, opens - timedelta(minutes=1), zone)


@pytest.mark.parametrize(
    "text", ["", "mon", "mon-fri", "mon-fri 8-18", "mun 08:00-18:00", "08:60-09:00", "mon 25:00-26:00"]
)
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="mon-fri 08:00-18:00"):
        parse_window(text)
