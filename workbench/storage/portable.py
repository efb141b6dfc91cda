"""Which values one kind of database keeps and the other refuses."""

import json
import math
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

SMALL, LARGE = 2**31, 2**63
#: Bytes of a key that PostgreSQL surely takes into the index by which it finds items.
INDEXED = 2600


def find_fault(dialect: str, column: sa.Column[Any], value: Any) -> str | None:
    """Say why a database of this kind would not keep a value as it is; None where it would."""
    if isinstance(column.type, sa.JSON):
        return _document(value) if dialect == "postgresql" else None
    if value is None:
        return None
    if isinstance(column.type, sa.String):
        return _string(value) or _key(column, value) if dialect == "postgresql" else None
    if isinstance(column.type, sa.Integer):
        return _whole(value, LARGE if isinstance(column.type, sa.BigInteger) else SMALL)
    if isinstance(column.type, sa.Float) and math.isnan(value) and dialect == "sqlite":
        return "is not a number, which SQLite does not keep"
    return None


def first_fault(dialect: str, table: sa.Table, rows: Sequence[Sequence[Any]]) -> tuple[str, str] | None:
    """Find the first value that would not be kept: its place, and why."""
    for row in rows:
        for column, value in zip(table.columns, row, strict=True):
            if fault := find_fault(dialect, column, value):
                return f"table '{table.name}', row {row[0]}, column '{column.name}'", fault
    return None


def _string(value: Any) -> str | None:
    if not isinstance(value, str):
        return "is no text"
    if "\x00" in value:
        return "holds a NUL character, which PostgreSQL does not keep in a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no text"
    return None


def _key(column: sa.Column[Any], value: str) -> str | None:
    if column.name != "key" or len(value.encode()) <= INDEXED:
        return None
    return f"is {len(value.encode())} bytes long, and PostgreSQL finds items by {INDEXED} at most"


def _whole(value: Any, limit: int) -> str | None:
    if not isinstance(value, int):
        return "is no whole number"
    return None if -limit <= value < limit else "is too large for its column in PostgreSQL"


def _document(value: Any) -> str | None:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return "holds NaN or infinity, which PostgreSQL does not keep in JSON"
    return None
