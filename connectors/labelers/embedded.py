"""A labeler without a server: projects, tasks and annotations in one SQLite file, or in memory.

For demonstrations, simulations and tests. It does what Label Studio does where the contract looks:
sending twice doubles, the most wanted task of the released model version is served first, a skipped task
goes to somebody else, a served task stays with its annotator until it is answered.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from connectors.errors import LabelerRefused, ProjectDoesNotFit
from connectors.labelers.checks import check_tasks, check_title
from connectors.labelers.embedded_store import EmbeddedStore, number, write_moment
from connectors.labelers.embedded_survey import describe, replace_predictions, survey
from connectors.labelers.label_config import Control, check_classes, make_label_config
from connectors.labelers.label_studio_format import read_annotation, read_moment
from connectors.labelers.protocol import Labeler
from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    ProjectFacts,
    ProjectSpec,
    RemoteAnnotation,
    RemoteProject,
    RemoteTask,
    TaskFacts,
    TaskId,
    TaskType,
)

#: SQLite takes 32,766 values in one statement.
KEYS_AT_ONCE: Final = 10_000
PAGE: Final = 500


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class EmbeddedLabeler:
    """A labeler in one SQLite file that survives being killed at any moment, or in memory.

    Args:
        path: The file; in memory when None.
        clock: Tells the time; replaced in tests.
    """

    name = "embedded"

    def __init__(self, path: Path | None = None, *, clock: Callable[[], datetime] = utc_now) -> None:
        #: The open file; the people who work here use it too.
        self.store = EmbeddedStore(path, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ensure_local_storage(self, project_id: str, folder: Path) -> None:
        """Do nothing: nobody looks at pictures here."""

    def ensure_webhook(self, project_id: str, url: str, secret: str) -> None:
        """Do nothing: reading this file costs little."""

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def open_project(self, spec: ProjectSpec) -> RemoteProject:
        """Find the project, or make it; see ``Labeler.open_project``."""
        check_title(spec.title)
        make_label_config(spec.task_type, spec.classes)
        with self.store.write() as database:
            row = _existing(database, spec) or _create(database, spec)
            classes = json.loads(row["classes"])
            if row["task_type"] != spec.task_type:
                raise ProjectDoesNotFit(
                    f"Project {row['id']} shows {row['task_type']}, expected {spec.task_type.value}. "
                    "Choose another project."
                )
            check_classes(classes, spec.classes)
            database.execute(
                "UPDATE projects SET overlap = ?, show_predictions = ? WHERE id = ?",
                (spec.overlap, spec.show_predictions, row["id"]),
            )
        return RemoteProject(
            project_id=str(row["id"]), url="", task_type=spec.task_type, classes=tuple(classes)
        )

    def find_tasks(self, project_id: str, round_key: str, item_keys: Sequence[str]) -> list[TaskId]:
        """Say which of these items are there already for this round, doubles included."""
        project = self._project(project_id)["id"]
        found: list[TaskId] = []
        for start in range(0, len(item_keys), KEYS_AT_ONCE):
            keys = item_keys[start : start + KEYS_AT_ONCE]
            marks = ", ".join("?" * len(keys))
            condition = f"project = ? AND round_key = ? AND item_key IN ({marks})"
            found += map(_task_id, self.store.read(_ids(condition), project, round_key, *keys))
        return sorted(found, key=lambda task: int(task.task_id))

    def count_tasks(self, project_id: str, round_key: str) -> int:
        """Count the tasks of a round that are there, doubles included."""
        project = self._project(project_id)["id"]
        query = "SELECT count(*) AS n FROM tasks WHERE project = ? AND round_key = ?"
        return int(self.store.read(query, project, round_key)[0]["n"])

    def send_tasks(self, project_id: str, tasks: Sequence[OutgoingTask]) -> list[TaskId]:
        """Send tasks in the given order, all or none; ids come back in request order."""
        project = self._project(project_id)["id"]
        check_tasks(tasks)
        if not tasks:
            return []
        with self.store.write() as database:
            moments = self.store.moments(database, len(tasks))
            ids = [_insert(database, project, task, at) for task, at in zip(tasks, moments, strict=True)]
            first = next((task.prediction.model_version for task in tasks if task.prediction), "")
            database.execute(
                "UPDATE projects SET model_version = ? WHERE id = ? AND model_version = ''", (first, project)
            )
        return [
            TaskId(task_id=str(task_id), item_key=task.item_key, round_key=task.round_key)
            for task_id, task in zip(ids, tasks, strict=True)
        ]

    def delete_tasks(self, project_id: str, task_ids: Sequence[str]) -> None:
        """Remove tasks; one that is gone already is no error."""
        project = self._project(project_id)["id"]
        with self.store.write() as database:
            database.executemany(
                "DELETE FROM tasks WHERE project = ? AND id = ?", [(project, number(key)) for key in task_ids]
            )

    def set_overlap(self, project_id: str, overlaps: Mapping[str, int]) -> None:
        """Say, by task id, how many people are to answer a task; setting it twice is once."""
        project = self._project(project_id)["id"]
        with self.store.write() as database:
            database.executemany(
                "UPDATE tasks SET overlap = ? WHERE project = ? AND id = ?",
                [(wanted, project, number(key)) for key, wanted in overlaps.items()],
            )

    def release(self, project_id: str, model_version: str) -> None:
        """Serve the predictions of this model version from now on, most wanted first."""
        project = self._project(project_id)["id"]
        with self.store.write() as database:
            database.execute("UPDATE projects SET model_version = ? WHERE id = ?", (model_version, project))

    def clock(self) -> datetime | None:
        """Not told: its moments only count changes, and reading this file costs little."""
        return None

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        """Stream tasks in the order of their last change, from ``since`` on."""
        project = self._project(project_id)
        control = embedded_control(project)
        after = "" if since is None else write_moment(since)
        query = "SELECT * FROM tasks WHERE project = ? AND updated_at {} ? ORDER BY updated_at LIMIT ?"
        rows = self.store.read(query.format(">="), project["id"], after, PAGE)
        while rows:
            for row in rows:
                yield self._remote_task(control, row)
            rows = self.store.read(query.format(">"), project["id"], rows[-1]["updated_at"], PAGE)

    def all_tasks(self, project_id: str) -> Iterator[TaskId]:
        """Stream the ids of every task that carries an item key."""
        project, last = self._project(project_id)["id"], 0
        query = _ids("project = ? AND id > ?") + f" LIMIT {PAGE}"
        while rows := self.store.read(query, project, last):
            yield from map(_task_id, rows)
            last = rows[-1]["id"]

    def describe_project(self, project_id: str) -> ProjectFacts | None:
        """Say how a project is set up now; None when there is none with this id."""
        return describe(self.store, project_id)

    def survey_tasks(self, project_id: str) -> Iterator[TaskFacts]:
        """Stream every task of a project, those of others too."""
        yield from survey(self.store, self._project(project_id)["id"])

    def set_predictions(self, project_id: str, predictions: Mapping[str, Prediction]) -> None:
        """Have tasks, by id, carry this prediction and no other."""
        replace_predictions(self.store, self._project(project_id)["id"], predictions)

    def _project(self, project_id: str) -> sqlite3.Row:
        rows = self.store.read("SELECT * FROM projects WHERE id = ?", number(project_id))
        if not rows:
            raise LabelerRefused(f"There is no project {project_id} in this labeler. Open it first.")
        return rows[0]

    def _remote_task(self, control: Control, row: sqlite3.Row) -> RemoteTask:
        rows = self.store.read("SELECT * FROM annotations WHERE task = ? ORDER BY id", row["id"])
        return RemoteTask(
            task_id=str(row["id"]),
            item_key=row["item_key"],
            round_key=row["round_key"],
            updated_at=read_moment(row["updated_at"]),
            annotations=tuple(_annotation(control, annotation) for annotation in rows),
        )


def embedded_control(project: sqlite3.Row) -> Control:
    """Say what a project asks, in the form that Label Studio's own projects have."""
    kind = project["task_type"]
    return Control(
        task_type=TaskType(kind),
        name="label",
        target=kind,
        variable=kind,
        classes=tuple(json.loads(project["classes"])),
    )


def _existing(database: sqlite3.Connection, spec: ProjectSpec) -> sqlite3.Row | None:
    if spec.existing_id is None:
        query, value = "SELECT * FROM projects WHERE title = ? ORDER BY id", spec.title
        return _first(database, query, value)
    row = _first(database, "SELECT * FROM projects WHERE id = ?", number(spec.existing_id))
    if row is None:
        raise LabelerRefused(f"There is no project {spec.existing_id} in this labeler to adopt.")
    return row


def _first(database: sqlite3.Connection, query: str, *values: object) -> sqlite3.Row | None:
    row: sqlite3.Row | None = database.execute(query, values).fetchone()
    return row


def _create(database: sqlite3.Connection, spec: ProjectSpec) -> sqlite3.Row:
    values = (spec.title, spec.task_type.value, json.dumps(spec.classes), spec.overlap, spec.show_predictions)
    row: sqlite3.Row = database.execute(
        "INSERT INTO projects (title, task_type, classes, overlap, show_predictions) VALUES (?, ?, ?, ?, ?) "
        "RETURNING *",
        values,
    ).fetchone()
    return row


def _insert(database: sqlite3.Connection, project: int, task: OutgoingTask, at: str) -> int | None:
    guess = task.prediction
    prediction = (None, None, None) if guess is None else (guess.label, guess.score, guess.model_version)
    return database.execute(
        "INSERT INTO tasks "
        "(project, item_key, round_key, content, label, score, model_version, updated_at, note) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (project, task.item_key, task.round_key, task.content, *prediction, at, task.note),
    ).lastrowid


def _ids(condition: str) -> str:
    return (  # fixed text and question marks
        "SELECT id, item_key, round_key, "  # noqa: S608
        "EXISTS (SELECT * FROM annotations WHERE task = tasks.id) AS annotated FROM tasks "
        f"WHERE {condition} ORDER BY id"
    )


def _task_id(row: sqlite3.Row) -> TaskId:
    return TaskId(
        task_id=str(row["id"]),
        item_key=row["item_key"],
        round_key=row["round_key"],
        annotated=bool(row["annotated"]),
    )


def _annotation(control: Control, row: sqlite3.Row) -> RemoteAnnotation:
    raw: dict[str, Any] = {
        "id": row["id"],
        "task": row["task"],
        "result": json.loads(row["result"]),
        "was_cancelled": bool(row["skipped"]),
        "completed_by": row["annotator"],
        "lead_time": row["seconds"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    return read_annotation(control, raw, str)


if TYPE_CHECKING:
    _: type[Labeler] = EmbeddedLabeler
