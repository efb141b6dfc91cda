"""The database of the embedded labeler: one SQLite file, one transaction per write.

A process killed at any moment leaves what was committed and nothing else.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.errors import LabelerRefused, LabelerUnreachable

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    task_type TEXT NOT NULL,
    classes TEXT NOT NULL,
    overlap INTEGER NOT NULL,
    show_predictions INTEGER NOT NULL,
    model_version TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES projects,
    item_key TEXT NOT NULL,
    round_key TEXT NOT NULL,
    content TEXT NOT NULL,
    label TEXT,
    score REAL,
    model_version TEXT,
    answered_by INTEGER NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL,
    overlap INTEGER,
    note TEXT
);
CREATE INDEX IF NOT EXISTS tasks_by_item ON tasks (project, round_key, item_key);
CREATE INDEX IF NOT EXISTS tasks_by_change ON tasks (project, updated_at);
CREATE INDEX IF NOT EXISTS tasks_by_score ON tasks (project, model_version, score, id);
CREATE TABLE IF NOT EXISTS annotations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
    annotator TEXT NOT NULL,
    result TEXT NOT NULL,
    skipped INTEGER NOT NULL,
    seconds REAL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS annotations_by_task ON annotations (task, annotator);
CREATE TABLE IF NOT EXISTS locks (
    task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
    annotator TEXT NOT NULL,
    PRIMARY KEY (task, annotator)
);
CREATE TABLE IF NOT EXISTS clock (last TEXT NOT NULL);
INSERT INTO clock SELECT '' WHERE NOT EXISTS (SELECT * FROM clock);
"""
#: Columns that files of the first version do not have.
LATER_COLUMNS: Final = {"overlap": "INTEGER", "note": "TEXT"}


class EmbeddedStore:
    """An open database whose moments never repeat, even when the clock stands still or goes back."""

    def __init__(self, path: Path | None, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._name = str(path or "in memory")
        with self._translated():
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=30.0, isolation_level=None, check_same_thread=False
            )
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def read(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Ask for rows."""
        with self._lock, self._translated():
            return self._connection.execute(query, values).fetchall()

    def _set_up(self) -> None:
        self._connection.row_factory = sqlite3.Row
        with self._translated():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        with self.write() as database:
            for statement in SCHEMA.split(";\n"):
                database.execute(statement)
            there = {row["name"] for row in database.execute("PRAGMA table_info(tasks)")}
            for name in LATER_COLUMNS.keys() - there:
                database.execute(f"ALTER TABLE tasks ADD COLUMN {name} {LATER_COLUMNS[name]}")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open the one kind of transaction there is: all of it, or nothing."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def moments(self, database: sqlite3.Connection, number: int = 1) -> list[str]:
        """Take moments that come after every moment taken before."""
        last = database.execute("SELECT last FROM clock").fetchone()[0]
        first = self._clock().astimezone(UTC)
        if last and first <= datetime.fromisoformat(last):
            first = datetime.fromisoformat(last) + timedelta(microseconds=1)
        taken = [write_moment(first + timedelta(microseconds=step)) for step in range(number)]
        database.execute("UPDATE clock SET last = ?", (taken[-1],))
        return taken

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise LabelerUnreachable(
                f"The embedded labeler's file {self._name} can not be used ({error}). Nothing was changed: "
                "check the path and the disk, and close other programs that hold the file."
            ) from error


def write_moment(moment: datetime) -> str:
    """Write a moment so that the order of texts is the order of moments."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def number(key: str) -> int:
    """Read an id of this labeler.

    Raises:
        LabelerRefused: It is not one.
    """
    if not key.isdecimal():
        raise LabelerRefused(f"The embedded labeler numbers its projects and tasks; {key!r} is not a number.")
    return int(key)
