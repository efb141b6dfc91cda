"""People who work in the embedded labeler: what Label Studio's own people can do, without a browser."""

import json
import sqlite3
from typing import TYPE_CHECKING

from connectors.errors import LabelerRefused
from connectors.labelers.embedded import EmbeddedLabeler, embedded_control
from connectors.labelers.embedded_store import EmbeddedStore, number
from connectors.labelers.label_studio_format import make_result
from connectors.labelers.protocol import Annotator
from connectors.labelers.records import ServedTask

#: Served to a person: unanswered by that person, and with room for one more answer.
OPEN_TASKS = """
SELECT tasks.*, projects.show_predictions, projects.model_version AS released
FROM tasks JOIN projects ON projects.id = tasks.project
WHERE project = :project AND answered_by < coalesce(tasks.overlap, projects.overlap)
AND NOT EXISTS (SELECT * FROM annotations WHERE task = tasks.id AND annotator = :who)
AND answered_by + (SELECT count(*) FROM locks WHERE task = tasks.id AND annotator <> :who)
    < coalesce(tasks.overlap, projects.overlap)
AND """
HELD = "EXISTS (SELECT * FROM locks WHERE task = tasks.id AND annotator = :who) ORDER BY tasks.id LIMIT 1"
MOST_WANTED = "tasks.model_version = projects.model_version ORDER BY tasks.score, tasks.id LIMIT 1"
OLDEST = "TRUE ORDER BY tasks.id LIMIT 1"


class EmbeddedAnnotator:
    """A person in the embedded labeler."""

    def __init__(self, store: EmbeddedStore, name: str) -> None:
        self._store = store
        self.name = name

    def next_task(self, project_id: str) -> ServedTask | None:
        """Serve a task and keep it for this person until it is answered."""
        values = {"project": number(project_id), "who": self.name}
        with self._store.write() as database:
            for which in (HELD, MOST_WANTED, OLDEST):
                row = database.execute(OPEN_TASKS + which, values).fetchone()
                if row is not None:
                    database.execute("INSERT OR IGNORE INTO locks VALUES (?, ?)", (row["id"], self.name))
                    return _served(row)
        return None

    def annotate(self, task_id: str, label: str, *, seconds: float) -> str:
        """Submit a label; returns the annotation's id."""
        with self._store.write() as database:
            result = _result(database, number(task_id), label)
            return self._keep(database, number(task_id), result, skipped=False, seconds=seconds)

    def skip(self, task_id: str, *, seconds: float) -> str:
        """Decline to answer; returns the annotation's id."""
        with self._store.write() as database:
            return self._keep(database, number(task_id), [], skipped=True, seconds=seconds)

    def inject(self, task_id: str, result: object, *, skipped: bool = False) -> str:
        """Keep any result whatever, as Label Studio would; for tests of what must not become a label."""
        with self._store.write() as database:
            return self._keep(database, number(task_id), result, skipped=skipped, seconds=None)

    def edit(self, annotation_id: str, label: str) -> None:
        """Change a label that was given before, or answer after a skip."""
        with self._store.write() as database:
            task = _task_of(database, annotation_id)
            at = self._touch(database, task)
            database.execute(
                "UPDATE annotations SET result = ?, skipped = FALSE, updated_at = ? WHERE id = ?",
                (json.dumps(_result(database, task, label)), at, number(annotation_id)),
            )
            _recount(database, task)

    def delete(self, annotation_id: str) -> None:
        """Take an annotation back."""
        with self._store.write() as database:
            task = _task_of(database, annotation_id)
            self._touch(database, task)
            database.execute("DELETE FROM annotations WHERE id = ?", (number(annotation_id),))
            _recount(database, task)

    def _keep(
        self, database: sqlite3.Connection, task: int, result: object, *, skipped: bool, seconds: float | None
    ) -> str:
        _project_of(database, task)
        at = self._touch(database, task)
        made = database.execute(
            "INSERT INTO annotations (task, annotator, result, skipped, seconds, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (task, self.name, json.dumps(result), skipped, seconds, at, at),
        )
        database.execute("DELETE FROM locks WHERE task = ? AND annotator = ?", (task, self.name))
        _recount(database, task)
        return str(made.lastrowid)

    def _touch(self, database: sqlite3.Connection, task: int) -> str:
        at = self._store.moments(database)[0]
        database.execute("UPDATE tasks SET updated_at = ? WHERE id = ?", (at, task))
        return at


def embedded_annotator(labeler: EmbeddedLabeler, name: str) -> EmbeddedAnnotator:
    """Let a person work in an embedded labeler; the same name is the same person."""
    return EmbeddedAnnotator(labeler.store, name)


def _served(row: sqlite3.Row) -> ServedTask:
    shown = row["show_predictions"] and row["model_version"] == row["released"]
    return ServedTask(
        task_id=str(row["id"]),
        item_key=row["item_key"],
        prediction=row["label"] if shown else None,
        note=row["note"],
    )


def _result(database: sqlite3.Connection, task: int, label: str) -> list[dict[str, object]]:
    return make_result(embedded_control(_project_of(database, task)), label)


def _project_of(database: sqlite3.Connection, task: int) -> sqlite3.Row:
    query = "SELECT projects.* FROM projects JOIN tasks ON project = projects.id WHERE tasks.id = ?"
    row: sqlite3.Row | None = database.execute(query, (task,)).fetchone()
    if row is None:
        raise LabelerRefused(f"There is no task {task} in this labeler.")
    return row


def _task_of(database: sqlite3.Connection, annotation_id: str) -> int:
    query = "SELECT task FROM annotations WHERE id = ?"
    row = database.execute(query, (number(annotation_id),)).fetchone()
    if row is None:
        raise LabelerRefused(f"There is no annotation {annotation_id} in this labeler.")
    return int(row["task"])


def _recount(database: sqlite3.Connection, task: int) -> None:
    database.execute(
        "UPDATE tasks SET answered_by = (SELECT count(DISTINCT annotator) FROM annotations "
        "WHERE task = tasks.id AND NOT skipped) WHERE id = ?",
        (task,),
    )


if TYPE_CHECKING:
    _: type[Annotator] = EmbeddedAnnotator
