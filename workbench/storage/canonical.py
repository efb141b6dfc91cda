"""What a table holds: a count and a digest that depend neither on the order nor on the kind of database."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

#: Sums of digests stay this long; a sum, unlike an exclusive or, also sees a row that is there twice.
BITS = 256


class Content(NamedTuple):
    """How many rows a table holds, and the sum of their digests."""

    rows: int
    digest: str


class Tally:
    """Adds rows up, a batch at a time."""

    def __init__(self, table: sa.Table) -> None:
        self._columns = list(table.columns)
        self._rows = 0
        self._sum = 0

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Count rows whose values are in the order of the table's columns."""
        for row in rows:
            values = [_text(column, value) for column, value in zip(self._columns, row, strict=True)]
            digest = hashlib.sha256(json.dumps(values).encode("ascii")).digest()
            self._sum = (self._sum + int.from_bytes(digest)) % 2**BITS
            self._rows += 1

    def content(self) -> Content:
        """All that was added so far."""
        return Content(self._rows, f"{self._sum:0{BITS // 4}x}")


def _text(column: sa.Column[Any], value: Any) -> str | None:
    if isinstance(column.type, sa.JSON):
        return json.dumps(value)
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    # SQLite keeps no sign of a zero.
    return (value + 0.0).hex() if isinstance(value, float) else f"{type(value).__name__} {value}"
