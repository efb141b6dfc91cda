"""Engines that behave: SQLite with WAL, foreign keys, immediate transactions; PostgreSQL that never hangs."""

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem

IMMEDIATE = "BEGIN IMMEDIATE"
PIECE_MILLISECONDS = 500
#: How long anybody waits for what another process holds.
BUSY_TIMEOUT_SECONDS = 30
#: A process that stands still in the middle of a transaction must not stand in everybody's way.
IDLE_SECONDS = 60
#: A server that is gone without a word is noticed within a minute.
ALIVE = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
KNOWN = ("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")
NOT_READABLE = (
    "The database address can not be read. Expected sqlite:///path/to/file.db or "
    "postgresql://user:password@host/name in WORKBENCH_DATABASE_URL or [storage] database."
)


def make_engine(url: str) -> sa.Engine:
    """Make an engine for ``url``; nothing is connected yet.

    Raises:
        DatabaseProblem: The address can not be read, or its driver is not installed.
    """
    if not url.startswith(KNOWN):
        raise DatabaseProblem(NOT_READABLE)
    try:
        engine = sa.create_engine(_with_driver(url), hide_parameters=True, **_options(url))
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError) as error:
        raise DatabaseProblem(NOT_READABLE) from error
    except ModuleNotFoundError as error:
        raise DatabaseProblem(
            f"The driver '{error.name}' for this database is not installed. "
            "Type `pip install 'active-labeling-workbench[postgresql]'`."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    else:
        sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def server_time(connection: sa.Connection) -> datetime | None:
    """The time by the clock of the database's server: one for all machines. None where there is no server."""
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return found.astimezone(UTC)


def file_of(engine: sa.Engine) -> Path | None:
    """The file of a database; None where a server or the memory keeps it."""
    path = engine.url.database
    return Path(path) if engine.dialect.name == "sqlite" and path and path != ":memory:" else None


def reading_options(engine: sa.Engine) -> dict[str, Any]:
    """What makes a transaction see one moment of the database and hold nobody up."""
    if engine.dialect.name == "sqlite":
        return {"reading": True}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {}
    given = sa.make_url(_with_driver(url)).query
    return {
        # A connection that died in the pool, with a server that was restarted, is replaced unseen.
        "pool_pre_ping": True,
        # Locks are followed by reading what is true now, whatever a server's default is.
        "isolation_level": "READ COMMITTED",
        "connect_args": {name: value for name, value in ALIVE.items() if name not in given},
    }


def _with_driver(url: str) -> str:
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN is deferred, and a deferred transaction that turns into a write fails at once
    # when another process wrote in between, whatever the busy timeout says.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_SECONDS}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.commit()


def _begin_immediate(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("reading", False):
        connection.exec_driver_sql("BEGIN")
        return
    # Waited for in small pieces: whoever waits inside SQLite hears no signal.
    cursor = connection.connection.cursor()
    until = time.monotonic() + BUSY_TIMEOUT_SECONDS
    try:
        cursor.execute(f"PRAGMA busy_timeout = {PIECE_MILLISECONDS}")
        while True:
            try:
                connection.exec_driver_sql(IMMEDIATE)
            except sa.exc.OperationalError as error:
                code = getattr(error.orig, "sqlite_errorcode", None) or 0
                if code & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            else:
                return
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.close()
