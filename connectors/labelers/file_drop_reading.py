"""Answers from files into the index: each line once, whatever it is called and however often it comes."""

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from connectors.labelers.embedded_store import EmbeddedStore, write_moment
from connectors.labelers.file_drop_lines import LONGEST, Line, Refused, read_line

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS drop_files (name TEXT PRIMARY KEY, size INTEGER, changed INTEGER);
CREATE TABLE IF NOT EXISTS drop_lines (hash TEXT, nth INTEGER, PRIMARY KEY (hash, nth)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drop_answers (
    key TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
    annotation INTEGER REFERENCES annotations ON DELETE SET NULL,
    at TEXT
);
CREATE INDEX IF NOT EXISTS drop_answers_by_annotation ON drop_answers (annotation);
CREATE INDEX IF NOT EXISTS drop_answers_by_task ON drop_answers (task);
CREATE TABLE IF NOT EXISTS drop_refused (file TEXT, line INTEGER, reason TEXT, content TEXT);
CREATE TABLE IF NOT EXISTS drop_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drop_sent (task INTEGER NOT NULL);
INSERT INTO drop_sent SELECT 0 WHERE NOT EXISTS (SELECT * FROM drop_sent);
"""
RECOUNT: Final = (
    "UPDATE tasks SET updated_at = ?, answered_by = (SELECT count(DISTINCT annotator) FROM annotations "
    "WHERE task = tasks.id AND NOT skipped) WHERE id = ?"
)
SHOWN: Final = 300
ENDINGS: Final = (".jsonl", ".ndjson", ".json")


class Numbered(NamedTuple):
    """A line of a file; ``whole`` is False for a last one that is still being written."""

    number: int
    raw: bytes
    whole: bool


class Dropped(NamedTuple):
    """Something in the folder of answers; ``fault`` says why it is not read."""

    path: Path
    name: str
    size: int
    changed: int
    fault: str | None

    def open(self) -> BinaryIO:
        """Open the file itself, and never what it became a link to meanwhile."""
        return os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def set_up(store: EmbeddedStore) -> None:
    """Make the tables that say what has been read."""
    with store.write() as database:
        for statement in SCHEMA.split(";\n"):
            database.execute(statement)


def read_answers(store: EmbeddedStore, folder: Path) -> bool:
    """Read every file that is new or has changed; says whether something of interest was found.

    A file that can not be read keeps no other from being read.
    """
    known = {row["name"]: (row["size"], row["changed"]) for row in store.read("SELECT * FROM drop_files")}
    found = sorted(_dropped(folder), key=lambda dropped: (dropped.changed, dropped.name))
    unread = {dropped.name: dropped.fault for dropped in found if dropped.fault is not None}
    changed = [d for d in found if d.fault is None and known.get(d.name) != (d.size, d.changed)]
    for dropped in changed:
        try:
            with dropped.open() as file, store.write() as database:
                _read_file(store, database, dropped.name, file)
                values = (dropped.name, dropped.size, dropped.changed)
                database.execute("INSERT OR REPLACE INTO drop_files VALUES (?, ?, ?)", values)
        except FileNotFoundError:
            continue  # taken away or given another name just now
        except OSError as error:
            unread[dropped.name] = f"can not be read ({error.strerror})"
    return _note_unread(store, unread) or bool(changed)


def _dropped(folder: Path) -> Iterator[Dropped]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        with suppress(FileNotFoundError):
            yield _look_at(path)


def _look_at(path: Path) -> Dropped:
    # Names are bytes on disk: not every one is a text that the index can hold.
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    status = path.lstat()
    fault = None
    if stat.S_ISLNK(status.st_mode):
        # Who drops files must not choose which other files of this machine are read.
        fault = "is a link; put the file itself here"
    elif not stat.S_ISREG(status.st_mode):
        fault = "is no file"
    elif path.suffix not in ENDINGS:
        fault = f"is not read: its name does not end in {', '.join(ENDINGS)}"
    return Dropped(path, name, status.st_size, status.st_mtime_ns, fault)


def _note_unread(store: EmbeddedStore, unread: Mapping[str, str]) -> bool:
    """Keep what is wrong with whole files, as line 0; says whether that is another than before."""
    rows = store.read("SELECT file, reason FROM drop_refused WHERE line = 0")
    if {row["file"]: row["reason"] for row in rows} == unread:
        return False
    with store.write() as database:
        database.execute("DELETE FROM drop_refused WHERE line = 0")
        values = [(name, 0, reason, "") for name, reason in unread.items()]
        database.executemany("INSERT INTO drop_refused VALUES (?, ?, ?, ?)", values)
    return True


def _read_file(store: EmbeddedStore, database: sqlite3.Connection, name: str, file: BinaryIO) -> None:
    database.execute("DELETE FROM drop_refused WHERE file = ?", (name,))
    counts: dict[str, int] = {}
    touched: dict[int, str] = {}
    for number, raw, whole in _lines(file):
        digest = hashlib.sha256(raw).hexdigest()
        counts[digest] = counts.get(digest, 0) + 1
        mark = (digest, counts[digest])
        if database.execute("SELECT 1 FROM drop_lines WHERE hash = ? AND nth = ?", mark).fetchone():
            continue
        try:
            _apply(store, database, read_line(raw), touched)
        except Refused as refusal:
            reason = str(refusal) if whole else "not finished: the last line has no end yet"
            shown = raw[:SHOWN].decode("utf-8", "replace")
            values = (name, number, reason, shown)
            database.execute("INSERT INTO drop_refused VALUES (?, ?, ?, ?)", values)
        else:
            database.execute("INSERT INTO drop_lines VALUES (?, ?)", mark)
    database.executemany(RECOUNT, [(moment, task) for task, moment in touched.items()])


def _lines(file: BinaryIO) -> Iterator[Numbered]:
    """Stream the lines of a file, without byte order mark, line ends and empty lines.

    A last line without an end is no JSON unless it is all there: no proper part of an object is an object.
    """
    number = 0
    while raw := file.readline(LONGEST + 2):
        number += 1
        whole = raw.endswith(b"\n")
        if len(raw) > LONGEST:
            while not whole and (rest := file.readline(LONGEST)):
                whole = rest.endswith(b"\n")
        plain = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if plain.strip():
            yield Numbered(number, plain.strip(b"\r\n"), whole)


def _apply(store: EmbeddedStore, database: sqlite3.Connection, line: Line, touched: dict[int, str]) -> None:
    """Write an answer into the index; ``touched`` gets the moment of its task's change."""
    known = _known(database, line)
    task = known["task"] if known else _task(database, line)["id"]
    if known and line.at and known["at"] and write_moment(line.at) < known["at"]:
        return  # something newer is known of this answer
    annotation = known["annotation"] if known else None
    moment = store.moments(database)[0]
    if line.deleted:
        if known is None:
            raise Refused("deletes an answer that was never given")
        database.execute("DELETE FROM annotations WHERE id = ?", (annotation,))
        annotation = None
    elif annotation is None:
        annotation = _insert(database, line, task, moment)
    else:
        _update(database, line, annotation, task, moment)
    at = write_moment(line.at) if line.at else (known["at"] if known else None)
    key = known["key"] if known else _key(line, task)
    database.execute(
        "INSERT OR REPLACE INTO drop_answers (key, task, annotation, at) VALUES (?, ?, ?, ?)",
        (key, task, annotation, at),
    )
    touched[task] = moment


def _known(database: sqlite3.Connection, line: Line) -> Any:
    """The answer that a line is about, if it was given before."""
    if line.answer_id is not None:
        found = database.execute("SELECT * FROM drop_answers WHERE key = ?", (line.answer_id,)).fetchone()
        if found and line.task_id not in (None, str(found["task"])):
            raise Refused(f"answer_id '{line.answer_id}' was used for task {found['task']}")
        return found
    key = _key(line, _task(database, line)["id"])
    return database.execute("SELECT * FROM drop_answers WHERE key = ?", (key,)).fetchone()


def _key(line: Line, task: int) -> str:
    return line.answer_id if line.answer_id is not None else f"{line.annotator}@{task}"


def _task(database: sqlite3.Connection, line: Line) -> Any:
    if line.task_id is not None:
        number = int(line.task_id) if line.task_id.isdecimal() and len(line.task_id) < 19 else -1
        rows = database.execute("SELECT * FROM tasks WHERE id = ?", (number,)).fetchall()
    else:
        rows = database.execute("SELECT * FROM tasks WHERE item_key = ?", (line.item_key,)).fetchall()
        rows = [
            row for row in rows if line.round_name is None or _is_round(row["round_key"], line.round_name)
        ]
    if not rows:
        raise Refused("no task here, or one that was taken back")
    if len(rows) > 1:
        raise Refused("several tasks of this item; name the task_id, or the round")
    if line.item_key is not None and rows[0]["item_key"] != line.item_key:
        raise Refused(f"task {line.task_id} is about another item")
    return rows[0]


def _is_round(round_key: str, name: str) -> bool:
    """By its whole name, or by its number."""
    return round_key == name or (name.isdecimal() and round_key.startswith(f"round-{int(name):04d}-"))


def _insert(database: sqlite3.Connection, line: Line, task: int, moment: str) -> int | None:
    if line.annotator is None:
        raise Refused("no annotator, and no answer with this answer_id")
    given = write_moment(line.at) if line.at else moment
    made = database.execute(
        "INSERT INTO annotations (task, annotator, result, skipped, seconds, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (task, line.annotator, _result(database, line, task), line.skipped, line.seconds, given, moment),
    )
    database.execute("DELETE FROM locks WHERE task = ? AND annotator = ?", (task, line.annotator))
    return made.lastrowid


def _update(database: sqlite3.Connection, line: Line, annotation: int, task: int, moment: str) -> None:
    database.execute(
        "UPDATE annotations SET result = ?, skipped = ?, seconds = coalesce(?, seconds), updated_at = ? "
        "WHERE id = ?",
        (_result(database, line, task), line.skipped, line.seconds, moment, annotation),
    )


def _result(database: sqlite3.Connection, line: Line, task: int) -> str:
    """The answer in the form that the index keeps."""
    if line.skipped:
        return "[]"
    if line.result is not None:
        return json.dumps(line.result)
    query = "SELECT task_type FROM projects JOIN tasks ON project = projects.id WHERE tasks.id = ?"
    target = database.execute(query, (task,)).fetchone()["task_type"]
    choices = line.label if isinstance(line.label, list) else [line.label] if line.label is not None else []
    value = {"choices": choices}
    return json.dumps([{"from_name": "label", "to_name": target, "type": "choices", "value": value}])
