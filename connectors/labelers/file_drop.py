"""A labeler of plain files, for any tool or colleague: JSON lines out, JSON lines in.

``outgoing/`` holds what is to be labeled, ``answers/`` what people drop there. An index beside them remembers
what was read; it is made again from the files when it is lost. See ``docs/how-to/file-drop.md``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from connectors.errors import LabelerUnreachable, OutcomeUnknown
from connectors.labelers.embedded import EmbeddedLabeler, utc_now
from connectors.labelers.file_drop_reading import read_answers, set_up
from connectors.labelers.file_drop_writing import put_changes, rebuild, write_out, write_refused
from connectors.labelers.protocol import Labeler
from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    ProjectFacts,
    ProjectSpec,
    RemoteProject,
    RemoteTask,
    TaskFacts,
    TaskId,
)

INDEX: Final = ".index.db"
OUTGOING: Final = "outgoing"
ANSWERS: Final = "answers"
REFUSED: Final = "refused.jsonl"


class RefusedLine(NamedTuple):
    """A line of a dropped file that is no answer."""

    file: str
    line: int
    reason: str


class FileDropLabeler:
    """A labeler in one folder. Several processes may use it at once.

    Args:
        folder: Made if it is not there.
        clock: Tells the time; replaced in tests.
    """

    name = "file-drop"

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.folder = folder
        with self._reachable():
            for part in (OUTGOING, ANSWERS):
                (folder / part).mkdir(parents=True, exist_ok=True)
        #: What was read so far; the people who work here in tests use it too.
        self.index = EmbeddedLabeler(folder / INDEX, clock=clock)
        set_up(self.index.store)
        with self._reachable():
            rebuild(self.index.store, folder / OUTGOING)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def catch_up(self) -> None:
        """Write out what is not in a file yet, and read what was dropped.

        Raises:
            LabelerUnreachable: The folder can not be read or written.
        """
        with self._reachable():
            write_out(self.index.store, self.folder / OUTGOING)
            if read_answers(self.index.store, self.folder / ANSWERS):
                write_refused(self.index.store, self.folder / REFUSED)

    def refused(self) -> list[RefusedLine]:
        """Every line that was dropped and is no answer, by file and line."""
        self.catch_up()
        rows = self.index.store.read("SELECT file, line, reason FROM drop_refused ORDER BY file, line")
        return [RefusedLine(row["file"], row["line"], row["reason"]) for row in rows]

    def ensure_local_storage(self, project_id: str, folder: Path) -> None:
        """Do nothing: who looks at files finds the pictures by their paths."""

    def ensure_webhook(self, project_id: str, url: str, secret: str) -> None:
        """Do nothing: files call nobody."""

    def open_project(self, spec: ProjectSpec) -> RemoteProject:
        """Find the project, or make it; see ``Labeler.open_project``."""
        return self.index.open_project(spec)

    def find_tasks(self, project_id: str, round_key: str, item_keys: Sequence[str]) -> list[TaskId]:
        """Say which of these items are there already for this round, doubles included."""
        self.catch_up()
        return self.index.find_tasks(project_id, round_key, item_keys)

    def count_tasks(self, project_id: str, round_key: str) -> int:
        """Count the tasks of a round that are there, doubles included."""
        self.catch_up()
        return self.index.count_tasks(project_id, round_key)

    def send_tasks(self, project_id: str, tasks: Sequence[OutgoingTask]) -> list[TaskId]:
        """Send tasks in the given order, all or none; ids come back in request order."""
        sent = self.index.send_tasks(project_id, tasks)
        self._write()
        return sent

    def delete_tasks(self, project_id: str, task_ids: Sequence[str]) -> None:
        """Remove tasks; their files get a line that says so."""
        self._change({"task_id": key, "withdrawn": True} for key in self._there(project_id, task_ids))
        self.index.delete_tasks(project_id, task_ids)
        self._write()

    def set_overlap(self, project_id: str, overlaps: Mapping[str, int]) -> None:
        """Say, by task id, how many people are to answer a task; setting it twice is once."""
        there = self._there(project_id, overlaps)
        self._change({"task_id": key, "overlap": overlaps[key]} for key in there)
        self.index.set_overlap(project_id, overlaps)
        self._write()

    def set_predictions(self, project_id: str, predictions: Mapping[str, Prediction]) -> None:
        """Have tasks, by id, carry this prediction and no other."""
        self._change(
            {
                "task_id": key,
                "predicted": predictions[key].label,
                "place": predictions[key].score,
                "model_version": predictions[key].model_version,
            }
            for key in self._there(project_id, predictions)
        )
        self.index.set_predictions(project_id, predictions)
        self._write()

    def release(self, project_id: str, model_version: str) -> None:
        """Remember whose predictions count; the order stands in each task's ``place``."""
        self.index.release(project_id, model_version)

    def clock(self) -> datetime | None:
        """Say nothing: answers are stamped when they are read."""
        return None

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        """Stream tasks in the order of their last change, from ``since`` on."""
        last, came = since, True
        while came:
            # What was dropped while the others were read comes at the end.
            self.catch_up()
            came = False
            for task in self.index.changed_tasks(project_id, last):
                yield self._named(task)
                last, came = task.updated_at + timedelta(microseconds=1), True

    def all_tasks(self, project_id: str) -> Iterator[TaskId]:
        """Stream the ids of every task."""
        self.catch_up()
        yield from self.index.all_tasks(project_id)

    def describe_project(self, project_id: str) -> ProjectFacts | None:
        """Say how a project is set up now; None when there is none with this id."""
        return self.index.describe_project(project_id)

    def survey_tasks(self, project_id: str) -> Iterator[TaskFacts]:
        """Stream every task of a project with what it shows and what models said."""
        self.catch_up()
        yield from self.index.survey_tasks(project_id)

    def _named(self, task: RemoteTask) -> RemoteTask:
        """Call answers what their files call them."""
        if not task.annotations:
            return task
        query = "SELECT annotation, key FROM drop_answers WHERE task = ?"
        keys = {str(row["annotation"]): row["key"] for row in self.index.store.read(query, int(task.task_id))}
        named = tuple(replace(a, annotation_id=keys[a.annotation_id]) for a in task.annotations)
        return replace(task, annotations=named)

    def _there(self, project_id: str, task_ids: Sequence[str] | Mapping[str, Any]) -> list[str]:
        """Those of these tasks that exist."""
        self.index.find_tasks(project_id, "", [])
        rows = self.index.store.read("SELECT id FROM tasks WHERE project = ?", int(project_id))
        known = {str(row["id"]) for row in rows}
        return [key for key in task_ids if key in known]

    def _change(self, lines: Iterator[Mapping[str, Any]]) -> None:
        if known := list(lines):
            put_changes(self.index.store, known)

    def _write(self) -> None:
        try:
            write_out(self.index.store, self.folder / OUTGOING)
        except OSError as error:
            raise OutcomeUnknown(
                f"The folder {self.folder} can not be written ({error.strerror}). What was to be sent is "
                "remembered; free the disk or mend the rights, then type `workbench round resume`."
            ) from error

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LabelerUnreachable(
                f"The folder {self.folder} can not be used ({error.strerror}). Nothing was changed: check "
                "[labeler] folder, its rights and the disk."
            ) from error


if TYPE_CHECKING:
    _: type[Labeler] = FileDropLabeler
