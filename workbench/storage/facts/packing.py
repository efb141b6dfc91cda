"""Many values in one text: read a hundred thousand rows as one, and as arrays.

What a statistic needs of each annotation is a number or two. A row for each of them costs more than
everything that is done with them afterwards; a database joins a column into one text, and that is read into
an array in one go. Columns that are joined by the same statement have their values in the same order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: What stands for a number that is not there; no time that was measured is negative.
_NOTHING = -1
#: Parts of one that are told apart, and the most that fits then.
_PARTS, _MOST = 1e9, 9e9
#: Stands between words. Where a word has one in it, nothing fits, and rows are read one by one.
_BETWEEN = "\x1f"
#: As long as SQLite's text of a time: 2026-01-02 03:04:05.000006.
_STAMP = 26
_DAY = 86_400_000_000
_NONE: Ints = np.zeros(1, np.int64)


class Coded(NamedTuple):
    """Words as numbers: the place of each in the sorted list of all that occur."""

    words: tuple[str, ...]
    codes_N: Ints


def fixed(value: str | float) -> sa.ColumnElement[Any]:
    """A value of ours that stands in the statement itself: a parameter is fetched again for every row."""
    kind: sa.Double[Any] | None = sa.Double() if isinstance(value, float) else None
    return sa.literal(value, kind, literal_execute=True)


def packed(
    connection: sa.Connection, column: sa.ColumnElement[Any], between: str = ","
) -> sa.ColumnElement[str]:
    """Whole numbers in one text, or with another text ``between`` them whatever can be a text."""
    # SQLite turns into text by itself, which is quicker.
    if connection.dialect.name == "sqlite":
        return sa.func.group_concat(column, fixed(between), type_=sa.String)
    return sa.func.string_agg(sa.cast(column, sa.Text), fixed(between), type_=sa.String)


def packed_floats(connection: sa.Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Numbers that are not negative in one text, to the billionth; a missing one has its place.

    As whole billionths: SQLite writes fifteen digits of a number and PostgreSQL all, and a copy of a database
    must say the same.
    """
    most = fixed(_MOST)
    parts = sa.case((column > most, most), else_=column) * fixed(_PARTS) + fixed(0.5)
    whole = parts if connection.dialect.name == "sqlite" else sa.func.floor(parts)
    return packed(connection, sa.func.coalesce(sa.cast(whole, sa.BigInteger), fixed(_NOTHING)))


def packed_words(connection: sa.Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Words in one text; a missing one is an empty one."""
    return packed(connection, sa.func.coalesce(column, fixed("")), _BETWEEN)


def packed_times(connection: sa.Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Times in one text."""
    if connection.dialect.name == "sqlite":
        return packed(connection, column, "")
    microseconds = sa.func.date_part("epoch", column) * 1_000_000
    return packed(connection, sa.cast(microseconds, sa.BigInteger))


def ints(text: str | None) -> Ints:
    """Whole numbers that were packed."""
    return np.fromstring(text or "", dtype=np.int64, sep=",")


def floats(text: str | None) -> Floats:
    """Numbers that were packed; NaN for what is missing."""
    found = ints(text)
    return np.where(found == _NOTHING, np.nan, found / _PARTS)


def unpacked_words(text: str | None, n: int) -> Coded | None:
    """``n`` words that were packed; None if they can not be told apart."""
    found = text.split(_BETWEEN) if text is not None else []
    return coded(found) if len(found) == n else None


def coded(found: Sequence[str]) -> Coded:
    """Words as numbers."""
    words = tuple(sorted(set(found)))
    places = {word: place for place, word in enumerate(words)}
    return Coded(words, np.fromiter(map(places.__getitem__, found), np.int64, len(found)))


def times(connection: sa.Connection, text: str | None) -> Ints:
    """Times that were packed, in microseconds since 1970."""
    if connection.dialect.name != "sqlite":
        return ints(text)
    stamps = np.frombuffer((text or "").encode("ascii"), np.uint8).reshape(-1, _STAMP)
    digits = np.ascontiguousarray(stamps.T).astype(np.int64) - ord("0")

    def number(start: int, stop: int) -> Ints:
        found: Ints = sum((digits[place] * 10 ** (stop - 1 - place) for place in range(start, stop)), _NONE)
        return found

    seconds = (number(11, 13) * 60 + number(14, 16)) * 60 + number(17, 19)
    days = _days(number(0, 4), number(5, 7), number(8, 10))
    return days * _DAY + seconds * 1_000_000 + number(20, 26)


def _days(years: Ints, months: Ints, days: Ints) -> Ints:
    """Days since 1970 of dates."""
    first = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (months - 1)
    found: Ints = first.astype("datetime64[D]").astype(np.int64) + days - 1
    return found
