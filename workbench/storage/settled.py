"""Up to when the past is settled: nothing that is written from now on will say that it was known before.

A transaction takes the time when it begins to write and is seen when it is committed. Somebody who reads in
between would not see it, and would see it in a report of that very moment that is made later. So whoever
reads for a report waits for a moment until those who write are done; where they take longer, the report is of
the moment before they began.
"""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from workbench.storage.pulse import last_stamp

#: How long is waited for those who write.
PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS = 0.01
#: Tells our locks from those of others; the lower 48 bits say since when, in tenths of milliseconds.
_OURS = 0x5742
_TICKS = 10_000
#: Everybody who writes holds one until others see what was written: taken before the time is.
_TAKE = sa.text(
    "SELECT pg_advisory_xact_lock_shared(CAST(:ours AS bigint) | "
    "floor(extract(epoch FROM clock_timestamp()) * :ticks)::bigint), clock_timestamp() AS now"
)
#: The time is taken before the locks are looked at: who takes one later has a later time.
_LOOK = sa.text(
    "SELECT clock_timestamp() AS now, "
    "(SELECT min(objid::bigint | ((classid::bigint & 65535) << 32)) FROM pg_locks "
    "WHERE locktype = 'advisory' AND objsubid = 1 AND (classid::bigint >> 16) = :ours "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS since"
)


def writing_time(connection: sa.Connection) -> datetime:
    """The time by the server's clock, for a transaction that writes: reports wait until it is committed."""
    found = connection.execute(_TAKE, {"ours": _OURS << 48, "ticks": _TICKS}).one()
    now: datetime = found.now
    return now.astimezone(UTC)


def settled_time(engine: sa.Engine, clock: Callable[[], datetime] | None) -> datetime:
    """The moment up to which everything that will ever be known of it can be seen by who reads now.

    Args:
        clock: That of those who write, where it is not the database's own.
    """
    if engine.dialect.name == "sqlite":
        return _of_file(engine, clock or _machine)
    # Nothing is known of when somebody began to write by a clock that the server does not have.
    return _of_server(engine) if clock is None else clock()


def _machine() -> datetime:
    return datetime.now(UTC)


def _of_server(engine: sa.Engine) -> datetime:
    until = time.monotonic() + PATIENCE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        began: datetime | None = None
        while True:
            found = connection.execute(_LOOK, {"ours": _OURS}).one()
            began = began or found.now
            since = None if found.since is None else _moment(found.since)
            # Who began after we did does not keep us waiting.
            if since is None or since > began or time.monotonic() > until:
                break
            time.sleep(_PAUSE_SECONDS)
    now: datetime = found.now.astimezone(UTC)
    return now if since is None else min(now, since)


def _moment(ticks: int) -> datetime:
    seconds, rest = divmod(ticks, _TICKS)
    found = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest * (1_000_000 // _TICKS))
    return found - timedelta(microseconds=1)


def _of_file(engine: sa.Engine, clock: Callable[[], datetime]) -> datetime:
    """Writers of a file come one after the other: the time is taken while there is none."""
    with engine.connect().execution_options(reading=True) as connection:
        cursor = connection.connection.cursor()
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {int(PATIENCE_SECONDS * 1000)}")
        try:
            cursor.execute("BEGIN IMMEDIATE")
            now = clock()
            cursor.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode or 0) & 0xFF != sqlite3.SQLITE_BUSY:
                # A file that nobody can write to, here, is settled.
                return clock()
            # Whoever writes began after all that can be seen was written.
            return last_stamp(connection) or clock()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {before}")
            cursor.close()
    return now
