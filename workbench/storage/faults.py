"""What a database's own error means: to be tried again as it is, or for somebody to mend."""

import sqlite3

import sqlalchemy as sa

from workbench.domain.errors import DatabaseAway, DatabaseProblem

#: PostgreSQL's codes for what passes by itself: serialization failure, deadlock, a lock that was waited for
#: too long, an administrator who stops the server or the connection, a server that starts or is full, a
#: transaction that stood still for too long.
PASSING = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25P03", "25P04"})
CONNECTION_EXCEPTIONS = "08"
SQLITE_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: A refusal at the door that has no code, and yet passes.
NOT_READY = (
    "starting up",
    "shutting down",
    "recovery mode",
    "accepting connections",
    "too many clients",
    "connection slots",
    "terminat",
)
#: What comes out of a database's driver, or of waiting for a connection to it.
ERRORS = (sa.exc.DBAPIError, sa.exc.TimeoutError)
ALL_IN_USE = (
    "All connections of this process to the database are in use: it does not answer, or too much is asked "
    "of it at once. Try again in a moment."
)
RESUME = "Nothing that was written before is lost. Type `workbench round resume`"


def problem_of(error: sa.exc.DBAPIError | sa.exc.TimeoutError) -> DatabaseProblem:
    """Put an error of the database in words; a ``DatabaseAway`` where trying again may be enough."""
    if isinstance(error, sa.exc.TimeoutError):
        return DatabaseAway(ALL_IN_USE)
    said = str(error.orig).strip()
    cause = said.splitlines()[0] if said else type(error).__name__
    kind = DatabaseAway if passes(error) else DatabaseProblem
    return kind(f"The database answered: {cause}. {_advice(error, cause)}")


def passes(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed a moment later, with nothing mended by anybody."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in PASSING or state.startswith(CONNECTION_EXCEPTIONS)
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error) in SQLITE_PASSING
    said = str(error.orig)
    # A server that can not be reached says nothing; one that says FATAL at the door has its reasons.
    refused = "FATAL" in said and not any(words in said for words in NOT_READY)
    return isinstance(error, sa.exc.OperationalError) and not refused


def _sqlite_code(error: sa.exc.DBAPIError) -> int:
    """Extended codes carry the plain one in their lowest byte; 0 where there is none."""
    return (getattr(error.orig, "sqlite_errorcode", None) or 0) & 0xFF


def _advice(error: sa.exc.DBAPIError, cause: str) -> str:
    if _sqlite_code(error) in SQLITE_DAMAGED:
        return (
            "The file is damaged, or no database. Check [storage] database; where it is the right one, move "
            "it away and type `workbench backup restore` with the newest backup."
        )
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        return (
            "Nothing of this step was written. It did not take what was written, which is a defect: "
            "please report it with this line."
        )
    if "full" in cause:
        return "Nothing of this step was written. Free some disk space, then type `workbench round resume`."
    if "disk I/O" in cause:
        # What SQLite says where not even its working files beside the database find room.
        return f"Its disk is full, or broken. Make room. {RESUME} then."
    if "locked" in cause:
        return f"Another process has held it for too long. {RESUME} when that one has ended."
    if "unable to open" in cause or "readonly" in cause:
        return "Check that the folder of the database exists and can be written."
    if getattr(error.orig, "sqlstate", None) in PASSING:
        return f"{RESUME} in a moment."
    return (
        f"Check WORKBENCH_DATABASE_URL or [storage] database, and that the server is up. {RESUME} when it is."
    )
