"""Tasks from the index into files, and, if the index is lost, from the files into a new one.

Each file is written to a temporary name, flushed, renamed, and never touched again. Its name follows from
what is in it, so that a process that goes on after a kill writes the same file.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from connectors.errors import LabelerRefused
from connectors.labelers.embedded_store import EmbeddedStore
from connectors.labelers.file_drop_lines import task_line

AT_ONCE: Final = 1000


def write_out(store: EmbeddedStore, folder: Path) -> None:
    """Write a file for tasks, and one for changes of tasks, that are in no file yet."""
    while rows := store.read(
        "SELECT * FROM tasks WHERE id > (SELECT task FROM drop_sent) ORDER BY id LIMIT ?", AT_ONCE
    ):
        projects = {row["id"]: dict(row) for row in store.read("SELECT * FROM projects")}
        first, last = rows[0]["id"], rows[-1]["id"]
        lines = [task_line(dict(row), projects[row["project"]]) for row in rows]
        write_lines(folder / f"tasks-{first:09d}-{last:09d}.jsonl", lines)
        with store.write() as database:
            database.execute("UPDATE drop_sent SET task = max(task, ?)", (last,))
    if rows := store.read("SELECT * FROM drop_outbox ORDER BY id"):
        name = f"update-{rows[0]['id']:09d}-{rows[-1]['id']:09d}.jsonl"
        write_lines(folder / name, [json.loads(row["line"]) for row in rows])
        with store.write() as database:
            database.execute("DELETE FROM drop_outbox WHERE id <= ?", (rows[-1]["id"],))


def put_changes(store: EmbeddedStore, lines: Sequence[Mapping[str, Any]]) -> None:
    """Remember changes of tasks that are to be written out."""
    with store.write() as database:
        database.executemany(
            "INSERT INTO drop_outbox (line) VALUES (?)", [(json.dumps(line),) for line in lines]
        )


def write_refused(store: EmbeddedStore, path: Path) -> None:
    """Write the lines that were refused, where who dropped them finds them; no file when there is none."""
    rows = store.read("SELECT file, line, reason, content FROM drop_refused ORDER BY file, line")
    if rows:
        write_lines(path, [dict(row) for row in rows])
    else:
        path.unlink(missing_ok=True)


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a file that is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def rebuild(store: EmbeddedStore, folder: Path) -> None:
    """Fill an index that is new from the files that were written before."""
    files = _written(folder, "tasks")
    if not files or store.read("SELECT 1 FROM projects LIMIT 1"):
        return
    with store.write() as database, _as_written():
        for line in _lines(files):
            _restore_task(store, database, line)
        updates = _written(folder, "update")
        for line in _lines(updates):
            _restore_change(database, line)
        last = int(files[-1].stem.rpartition("-")[2])
        database.execute("UPDATE drop_sent SET task = ?", (last,))
        # The next id goes on after the last one, also when the last task was taken back.
        sequences = {"tasks": last, "drop_outbox": int(updates[-1].stem.rpartition("-")[2]) if updates else 0}
        for name, number in sequences.items():
            database.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            database.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))


def _written(folder: Path, kind: str) -> list[Path]:
    """The files of a kind that were written here; copies that somebody made beside them are none."""
    name = re.compile(kind + r"-\d{9,}-\d{9,}\.jsonl")
    return [path for path in sorted(folder.iterdir()) if name.fullmatch(path.name)]


@contextmanager
def _as_written() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, sqlite3.IntegrityError) as error:
        raise LabelerRefused(
            "The index of the file drop is lost, and can not be made again: a file in outgoing/ is not as it "
            "was written any more. Put outgoing/ or .index.db back from a backup."
        ) from error


def _lines(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in files:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def _restore_task(store: EmbeddedStore, database: sqlite3.Connection, line: Mapping[str, Any]) -> None:
    classes = json.dumps(line["classes"])
    database.execute(
        "INSERT OR IGNORE INTO projects (id, title, task_type, classes, overlap, show_predictions, "
        "model_version) VALUES (?, ?, ?, ?, ?, TRUE, ?)",
        (
            int(line["project_id"]),
            line["project"],
            line["task_type"],
            classes,
            line["overlap"],
            line["model_version"] or "",
        ),
    )
    names = ("item_key", "round_key", "content", "label", "score", "model_version", "note")
    keys = ("item_key", "round", "content", "predicted", "place", "model_version", "note")
    database.execute(
        f"INSERT INTO tasks (id, project, updated_at, {', '.join(names)}) "  # noqa: S608  # fixed names
        f"VALUES (?, ?, ?{', ?' * len(names)})",
        (
            int(line["task_id"]),
            int(line["project_id"]),
            store.moments(database)[0],
            *(line[key] for key in keys),
        ),
    )


def _restore_change(database: sqlite3.Connection, line: Mapping[str, Any]) -> None:
    task = int(line["task_id"])
    if line.get("withdrawn"):
        database.execute("DELETE FROM tasks WHERE id = ?", (task,))
    elif "overlap" in line:
        database.execute("UPDATE tasks SET overlap = ? WHERE id = ?", (line["overlap"], task))
    else:
        values = (line["predicted"], line["place"], line["model_version"], task)
        database.execute("UPDATE tasks SET label = ?, score = ?, model_version = ? WHERE id = ?", values)
