"""What all tables share: one metadata, aware times, short ways to write keys."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A time without a zone: {value!r}. Times in the database are aware.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give UTC back; SQLite forgets the zone."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def key() -> sa.Column[int]:
    """A row's number."""
    return sa.Column("id", sa.Integer, primary_key=True)


def to(
    target: str, *, name: str | None = None, nullable: bool = False, index: bool = False
) -> sa.Column[int]:
    """The number of a row of another table."""
    column = name or f"{target}_id"
    return sa.Column(column, sa.Integer, sa.ForeignKey(f"{target}.id"), nullable=nullable, index=index)
