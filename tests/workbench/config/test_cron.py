"""Ticks of cron expressions: each once, whatever the clock on the wall does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.config.cron import check_cron, next_tick

BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"


def ticks(expression: str, zone: str, start: str, count: int) -> list[str]:
    """The next ticks after a time on the wall, as times on the wall with the hours to UTC."""
    at = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = []
    for _ in range(count):
        after = next_tick(expression, zone, at)
        assert after is not None
        at = after
        found.append(f"{at.astimezone(ZoneInfo(zone)):%a %d %H:%M %z}")
    return found


@given(
    expression=st.sampled_from(["0 8 * * *", "30 2 * * *", "*/20 * * * *", "15 1-3 * * 0,3", "0 0 1 * mon"]),
    zone=st.sampled_from([BERLIN, NEW_YORK, KOLKATA, "Australia/Lord_Howe", "UTC"]),
    hour=st.integers(0, 366 * 24),
    minutes=st.integers(0, 59),
)
@settings(max_examples=150, deadline=None)
def test_ticks_go_forward_and_none_lies_between_two(
    expression: str, zone: str, hour: int, minutes: int
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour, minutes=minutes)
    first = next_tick(expression, zone, start)
    assert first is not None
    assert first > start
    assert next_tick(expression, zone, first - timedelta(microseconds=1)) == first
    between = start + (first - start) / 2
    assert next_tick(expression, zone, between) == first


@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28T00:00", ["Sat 28 02:30 +0100", "Sun 29 03:30 +0200"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T03:00", ["Sun 08 03:30 -0400", "Mon 09 02:30 -0400"]),
        ("30 2 * * *", KOLKATA, "2026-03-28T03:00", ["Sun 29 02:30 +0530", "Mon 30 02:30 +0530"]),
        ("0 2,3 * * *", BERLIN, "2026-03-29T00:00", ["Sun 29 03:00 +0200", "Mon 30 02:00 +0200"]),
        ("0 * * * *", BERLIN, "2026-03-29T00:30", ["Sun 29 01:00 +0100", "Sun 29 03:00 +0200"]),
    ],
)
def test_a_time_that_spring_leaves_out_comes_later_and_once(
    expression: str, zone: str, start: str, expected: list[str]
) -> None:
    assert ticks(expression, zone, start, 2) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-10-25T00:00", ["Sun 25 02:30 +0200", "Mon 26 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T00:00", ["Sun 01 01:30 -0400", "Mon 02 01:30 -0500"]),
        ("30 1 * * *", KOLKATA, "2026-11-01T00:00", ["Sun 01 01:30 +0530", "Mon 02 01:30 +0530"]),
    ],
)
def test_a_time_that_comes_twice_in_autumn_counts_once(
    expression: str, zone: str, start: str, expected: list[str]
) -> None:
    assert ticks(expression, zone, start, 2) == expected


def test_every_hour_counts_both_of_the_hours_that_autumn_repeats() -> None:
    assert ticks("0 * * * *", BERLIN, "2026-10-25T01:30", 3) == [
        "Sun 25 02:00 +0200",
        "Sun 25 02:00 +0100",
        "Sun 25 03:00 +0100",
    ]


def test_days_of_the_week_are_counted_as_crontab_counts_them() -> None:
    monday = ["Mon 05 08:00 +0000", "Mon 12 08:00 +0000"]
    assert ticks("0 8 * * 1", "UTC", "2026-01-01", 2) == monday
    assert ticks("0 8 * * mon", "UTC", "2026-01-01", 2) == monday
    assert ticks("0 8 * * 7", "UTC", "2026-01-01", 2) == ticks("0 8 * * 0", "UTC", "2026-01-01", 2)
    assert ticks("0 8 * * sat-mon", "UTC", "2026-01-01", 3) == [
        "Sat 03 08:00 +0000",
        "Sun 04 08:00 +0000",
        "Mon 05 08:00 +0000",
    ]


def test_where_both_kinds_of_days_are_named_either_will_do() -> None:
    assert ticks("0 0 13 * 5", "UTC", "2026-01-08", 3) == [
        "Fri 09 00:00 +0000",
        "Tue 13 00:00 +0000",
        "Fri 16 00:00 +0000",
    ]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 8 * *", "4 fields found"),
        ("61 * * * *", "61"),
        ("0 8 * * someday", "someday"),
        ("0 8 * * 8", "no weekday"),
        ("0 8 * * mon/0", "no step"),
        ("0 0 30 2 *", "no such day"),
        ("", "0 fields found"),
    ],
)
def test_an_expression_that_can_not_be_met_is_refused_with_an_example(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        check_cron(expression)
    assert "0 8 * * mon-fri" in str(refused.value)
