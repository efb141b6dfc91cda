"""Engines that behave: SQLite with WAL, foreign keys and immediate transactions; PostgreSQL as it is."""

from typing import Any

import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem

BUSY_TIMEOUT_SECONDS = 30
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
        engine = sa.create_engine(_with_driver(url), hide_parameters=True)
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
    return engine


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


def _begin_immediate(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
