"""People who answer by dropping files; for simulations and tests."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.file_drop import ANSWERS, FileDropLabeler
from connectors.labelers.file_drop_writing import write_lines
from connectors.labelers.protocol import Annotator
from connectors.labelers.records import ServedTask


class FileDropAnnotator:
    """A person who takes the next task of the queue, and drops one file for each answer."""

    def __init__(self, labeler: FileDropLabeler, name: str) -> None:
        self._labeler = labeler
        self._queue = embedded_annotator(labeler.index, name)
        self.name = name

    def next_task(self, project_id: str) -> ServedTask | None:
        """The task that comes next in the order of places."""
        self._labeler.catch_up()
        return self._queue.next_task(project_id)

    def annotate(self, task_id: str, label: str, *, seconds: float) -> str:
        """Drop an answer; returns its id."""
        return self._answer(task_id, label=label, seconds=seconds)

    def skip(self, task_id: str, *, seconds: float) -> str:
        """Drop a refusal to answer; returns its id."""
        return self._answer(task_id, skipped=True, seconds=seconds)

    def inject(self, task_id: str, result: object, *, skipped: bool = False) -> str:
        """Drop any result whatever; for tests of what must not become a label."""
        return self._answer(task_id, **({"skipped": True} if skipped else {"result": result}))

    def edit(self, annotation_id: str, label: str) -> None:
        """Drop a newer line for the same answer."""
        self._drop({"answer_id": annotation_id, "label": label})

    def delete(self, annotation_id: str) -> None:
        """Drop a line that takes the answer back."""
        self._drop({"answer_id": annotation_id, "deleted": True})

    def _answer(self, task_id: str, **facts: Any) -> str:
        answer_id = uuid4().hex
        self._drop({"task_id": task_id, "annotator": self.name, "answer_id": answer_id, **facts})
        return answer_id

    def _drop(self, line: dict[str, Any]) -> None:
        # Files are read by age; the name keeps the order of those of one moment.
        name = f"{time.time_ns()}-{uuid4().hex[:8]}.jsonl"
        at = datetime.now(UTC).isoformat()
        write_lines(Path(self._labeler.folder) / ANSWERS / name, [{**line, "at": at}])


def file_drop_annotator(labeler: FileDropLabeler, name: str) -> FileDropAnnotator:
    """Let a person work in a file drop; the same name is the same person."""
    return FileDropAnnotator(labeler, name)


if TYPE_CHECKING:
    _: type[Annotator] = FileDropAnnotator
