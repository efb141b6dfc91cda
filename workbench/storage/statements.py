"""The few statements that several repositories share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
#: Stays far below the smallest limit on bound parameters of the databases we run on.
CHUNK = 1000


def chunked(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut into lists of at most ``size``."""
    chunk: list[T] = []
    for value in values:
        chunk.append(value)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose unique key is not there yet; say how many were new."""
    if not rows:
        return 0
    maker: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    result = connection.execute(
        maker(table).on_conflict_do_nothing(), rows, execution_options={"preserve_rowcount": True}
    )
    return int(result.rowcount)


def insert_one(connection: sa.Connection, table: sa.Table, **values: Any) -> int:
    """Insert a row and give its id."""
    key = connection.execute(table.insert().values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])
