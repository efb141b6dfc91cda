"""Numbers have the digits that mean something, and their units; no text from elsewhere can do anything."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.reports.units import Unit
from workbench.reports.words import HARMLESS, cell, count, heading, in_words, interval, plain, short, tied

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.9432, Unit.SHARE, "94.3 %"),
        (1.0, Unit.SHARE, "100.0 %"),
        (0.012, Unit.POINTS, "+1.2 pp"),
        (-0.012, Unit.POINTS, "−1.2 pp"),
        (-0.0001, Unit.POINTS, "0.0 pp"),
        (7.02, Unit.MONEY, "7.02 EUR"),
        (0.0, Unit.MONEY, "0.00 EUR"),
        (0.005, Unit.MONEY, "0.0050 EUR"),
        (12345.6, Unit.MONEY, f"12{THIN}346 EUR"),
        (8.44, Unit.SECONDS, "8.4 s"),
        (59.7, Unit.SECONDS, "1 min"),
        (61.0, Unit.SECONDS, "1 min 1 s"),
        (3599.0, Unit.SECONDS, "1 h"),
        (12_000.0, Unit.SECONDS, "3 h 20 min"),
        (400_000.0, Unit.SECONDS, "111 h"),
        (-90.0, Unit.SECONDS, "−1 min 30 s"),
        (1_234_567, Unit.COUNT, f"1{THIN}234{THIN}567"),
        (0.12345, Unit.NATS, "0.123 nats"),
        (1.83, Unit.FACTOR, "1.8 ×"),
        (12.3, Unit.FACTOR, "12 ×"),
        (0.0, Unit.NUMBER, "0"),
        (1234.5, Unit.NUMBER, f"1{THIN}234"),
        (0.0304, Unit.NUMBER, "0.0304"),
        (7, Unit.ROUND, "7"),
        (True, Unit.YES_NO, "yes"),
        (date(2026, 11, 21), Unit.TIME, "2026-11-21"),
        (datetime(2026, 11, 21, 12, 30, tzinfo=UTC), Unit.TIME, "2026-11-21 12:30 UTC"),
        (
            datetime(2026, 11, 21, 12, 30, tzinfo=timezone(timedelta(hours=2))),
            Unit.TIME,
            "2026-11-21 10:30 UTC",
        ),
        (float("nan"), Unit.SHARE, "–"),
        (float("inf"), Unit.COUNT, "∞"),
    ],
)
def test_a_value_in_words(value: object, unit: Unit, words: str) -> None:
    assert in_words(value, unit, currency="EUR") == words


@pytest.mark.parametrize("unit", list(Unit))
def test_what_is_missing_is_a_dash_in_every_unit(unit: Unit) -> None:
    assert in_words(None, unit, currency="EUR") == "–"


def test_a_share_of_few_items_has_no_tenths() -> None:
    assert in_words(0.9432, Unit.SHARE, n=50) == "94 %"
    assert in_words(0.9432, Unit.SHARE, n=200) == "94.3 %"


def test_an_interval_says_its_unit_once() -> None:
    assert interval(140, 60, 230, Unit.COUNT) == "140 [60 to 230]"
    assert interval(0.943, 0.91, 0.96, Unit.SHARE) == "94.3 % [91.0 to 96.0]"
    assert interval(0.01, -0.02, 0.04, Unit.POINTS) == "+1.0 pp [−2.0 to +4.0]"
    assert interval(10.0, 5.0, 20.0, Unit.MONEY, currency="EUR") == "10.00 EUR [5.00 to 20.00]"
    assert interval(0.5, None, None, Unit.SHARE) == "50.0 %"
    assert interval(None, 60, 230, Unit.COUNT) == "– [60 to 230]"


def test_one_is_not_many() -> None:
    assert (count(1, "label"), count(2, "label"), count(0, "class", "classes")) == (
        "1 label",
        "2 labels",
        "0 classes",
    )


def test_a_head_names_the_unit_that_cells_leave_out() -> None:
    assert heading("cost_of_last_point", Unit.MONEY, "EUR") == "cost of last point, EUR"
    assert heading("median_seconds", Unit.SECONDS) == "median time"
    assert heading("score", Unit.NATS) == "score, nats"


def test_a_number_and_its_unit_are_not_parted() -> None:
    assert tied("94.3 % of 3 h 20 min") == "94.3\xa0% of 3\xa0h 20\xa0min"


@settings(derandomize=True)
@given(st.text())
def test_no_text_can_do_anything(text: str) -> None:
    assert all(letter.isprintable() or letter in HARMLESS for letter in plain(text))


def test_what_can_not_be_seen_is_shown_by_its_code() -> None:
    assert plain("a\x1b[31m\u202eb\nc\x9b") == "a\\x1b[31m\\u202eb c\\x9b"


@settings(derandomize=True)
@given(st.text(), st.integers(2, 40))
def test_a_cut_text_is_never_longer_than_asked(text: str, most: int) -> None:
    cut = short(text, most)
    assert len(cut) <= most
    assert cut == text or "…" in cut


@settings(derandomize=True)
@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(list(Unit)))
def test_any_number_has_words_in_any_unit(value: float, unit: Unit) -> None:
    assert cell(value, unit)
