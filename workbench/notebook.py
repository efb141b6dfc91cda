"""The loop in Python: ``open_project``, ``ask``, ``tell``, ``curve``, ``report``."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from workbench import loop
from workbench.bootstrap import hand_annotator, open_parts
from workbench.domain.consensus import current
from workbench.domain.errors import ProjectProblem
from workbench.domain.records import Task
from workbench.loop import Told
from workbench.reports.curve import Frame, curve_frame
from workbench.reports.faces.html import write_html
from workbench.reports.reading import read_report
from workbench.steps.parts import Parts

NAME = "notebook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What to label next, most wanted first."""

    round: int
    keys: tuple[str, ...]
    payloads: tuple[Mapping[str, Any], ...]


class LoopHandle:
    """An open project."""

    def __init__(self, parts: Parts, held: ExitStack) -> None:
        self._parts = parts
        self._held = held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database and the labeler."""
        self._held.close()

    def ask(self, batch_size: int | None = None) -> Batch:
        """Start a round and say what to label.

        Raises:
            WorkbenchError: As ``workbench.loop.ask``.
        """
        asked = loop.ask(self._parts, batch_size)
        with self._parts.store.begin() as tx:
            keys = [chosen.item_key for chosen in tx.tasks.selections(asked.id)]
            items = tx.pool.by_key(self._parts.project.id, keys)
        return Batch(round=asked.number, keys=tuple(keys), payloads=tuple(items[key].payload for key in keys))

    def tell(self, labels: Mapping[str, str] | None = None, *, close: bool = False) -> Told:
        """Bring labels in, and learn when the batch is answered.

        Args:
            labels: Labels by item key, where no labeling tool is used (``[labeler] kind = "embedded"``).
            close: Go on with what is there.

        Raises:
            ProjectProblem: A key that was not asked for, a class that is none, or labels given by hand
                while a labeling tool is in charge.
        """
        if labels:
            self._answer(labels)
        return loop.tell(self._parts, close=close)

    def curve(self) -> Frame:
        """The budget curve: ``round, labels, annotations, seconds, cost, metric, value, low, high``."""
        with self._parts.store.begin() as tx:
            return curve_frame(tx.results.budget_points(self._parts.project.id))

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the budget report as one HTML file and say where it is.

        Raises:
            ArtifactProblem: It can not be written.
        """
        place = Path(path).resolve()
        write_html(place, read_report(self._parts.store, self._parts.project))
        return place

    def _answer(self, labels: Mapping[str, str]) -> None:
        person = hand_annotator(self._parts.labeler, NAME)
        if person is None:
            raise ProjectProblem(
                "Labels were given by hand, but this project is labeled elsewhere. "
                'Call tell() without labels, or set [labeler] kind = "embedded" in workbench.toml.'
            )
        tasks = self._tasks(labels)
        given = self._given(tasks)
        for key, label in labels.items():
            if key in given:
                person.edit(given[key], label)
            else:
                person.annotate(str(tasks[key].external_id), label, seconds=0.0)

    def _given(self, tasks: Mapping[str, Task]) -> dict[str, str]:
        """Answers that were given by hand before, by key: telling again changes them."""
        with self._parts.store.begin() as tx:
            versions = tx.annotations.of_items(task.item_id for task in tasks.values())
        return {
            key: answer.external_id
            for key, task in tasks.items()
            for answer in current(versions.get(task.item_id, []))
            if answer.task_id == task.id and answer.annotator == NAME
        }

    def _tasks(self, labels: Mapping[str, str]) -> dict[str, Task]:
        unknown = sorted(set(labels.values()) - set(self._parts.project.classes))
        if unknown:
            raise ProjectProblem(
                f"{', '.join(map(repr, unknown))} is no class of this project; "
                f"the classes are {', '.join(self._parts.project.classes)}."
            )
        with self._parts.store.begin() as tx:
            unfinished = tx.rounds.unfinished(self._parts.project.id)
            tasks = tx.tasks.of_round(unfinished.id) if unfinished else []
        asked = {task.item_key: task for task in tasks}
        strange = [key for key in labels if key not in asked]
        if strange:
            raise ProjectProblem(f"'{strange[0]}' is not in the open round. Label the keys that ask() gave.")
        return asked


def open_project(path: str | Path = "workbench.toml") -> LoopHandle:
    """Open the project of a ``workbench.toml``; close it, or use it in a ``with`` block.

    Raises:
        WorkbenchError: Configuration, database or project are not as they should be.
    """
    held = ExitStack()
    return LoopHandle(held.enter_context(open_parts(Path(path))), held)
