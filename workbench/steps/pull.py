"""Read what annotators did, keep every version of it, and say what it means for labels.

A cursor with overlap: asking twice for the same change is harmless, missing one is not. Annotations, the
labels that follow and the tasks' states are written in one transaction a page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.labelers.records import RemoteAnnotation, RemoteTask
from workbench.domain.consensus import current, majority, task_state
from workbench.domain.records import Annotation, Label, LabelerLink, LabelStatus, Task, TaskState
from workbench.steps.parts import Parts
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

PAGE = 250
#: A request may commit at the labeler long after its time stamp was taken.
OVERLAP = timedelta(minutes=10)
METHOD = "majority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull brought in."""

    #: New versions of annotations: made, edited or deleted.
    versions: int = 0
    #: Labels that are new or say something else now.
    labels: int = 0
    #: Tasks at the labeler that are none of ours.
    strangers: int = 0

    def plus(self, other: "Pulled") -> "Pulled":
        """Both together."""
        return Pulled(
            versions=self.versions + other.versions,
            labels=self.labels + other.labels,
            strangers=self.strangers + other.strangers,
        )


def pull(parts: Parts) -> Pulled:
    """Bring in everything that changed since the last pull. Run twice, the second changes nothing.

    Raises:
        LabelerError: The labeler is away or says no; what was read so far is kept.
    """
    with parts.store.begin() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    if link is None:
        return Pulled()
    since = link.cursor - OVERLAP if link.cursor else None
    total = Pulled()
    newest = link.cursor
    for page in chunked(parts.labeler.changed_tasks(link.external_id, since), PAGE):
        total = total.plus(_keep_page(parts, page))
        newest = max(filter(None, [newest, *(task.updated_at for task in page)]))
    _move_cursor(parts, link, newest)
    return total


def note_missing_tasks(parts: Parts, round_key: str, tasks: Sequence[Task]) -> int:
    """Mark tasks of a round that somebody has deleted at the labeler; says how many there are.

    A deleted task leaves no trace among the changes, so this looks for each one. Labels that came from
    it stay.
    """
    with parts.store.begin() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    if link is None:
        return 0
    there: set[str] = set()
    for batch in chunked(tasks, 500):
        found = parts.labeler.find_tasks(link.external_id, round_key, [task.item_key for task in batch])
        there.update(task.item_key for task in found)
    gone = {t.id: TaskState.GONE for t in tasks if t.state is TaskState.OPEN and t.item_key not in there}
    if gone:
        with parts.store.begin() as tx:
            tx.tasks.set_states(gone)
            tx.results.note(parts.project.id, "tasks-gone", f"{len(gone)} tasks were deleted at the labeler")
    return len(gone)


def _keep_page(parts: Parts, page: Sequence[RemoteTask]) -> Pulled:
    with parts.store.begin() as tx:
        ours = tx.tasks.by_external_id(parts.project.id, parts.labeler.name, [t.task_id for t in page])
        matched = [(ours[remote.task_id], remote) for remote in page if remote.task_id in ours]
        before = tx.annotations.of_items({task.item_id for task, _ in matched})
        versions = [v for task, remote in matched for v in _versions(task, remote, before)]
        new = tx.annotations.add(parts.project.id, parts.labeler.name, versions)
        revised = _consolidate(parts, tx, [task for task, _ in matched]) if new else 0
    return Pulled(versions=new, labels=revised, strangers=len(page) - len(matched))


def _versions(
    task: Task, remote: RemoteTask, before: Mapping[int, Sequence[Annotation]]
) -> Iterable[Annotation]:
    """The annotations of a task as they are now, and a tombstone for each that is gone."""
    yield from (_version(task, annotation) for annotation in remote.annotations)
    there = {annotation.annotation_id for annotation in remote.annotations}
    known = [a for a in before.get(task.item_id, ()) if a.task_id == task.id]
    for annotation in current(known):
        if annotation.external_id not in there:
            yield replace(annotation, deleted=True, updated_at=max(remote.updated_at, annotation.updated_at))


def _version(task: Task, found: RemoteAnnotation) -> Annotation:
    return Annotation(
        external_id=found.annotation_id,
        task_id=task.id,
        item_id=task.item_id,
        annotator=found.annotator,
        label=found.label,
        problem=found.problem,
        skipped=found.skipped,
        seconds=found.seconds,
        created_at=found.created_at,
        updated_at=found.updated_at,
        raw=found.raw,
    )


def _consolidate(parts: Parts, tx: Transaction, tasks: Sequence[Task]) -> int:
    """Bring labels and task states in line with the annotations; says how many labels changed."""
    items = {task.item_id for task in tasks}
    annotations = tx.annotations.of_items(items)
    overlap = parts.config.labeler.overlap
    states = {}
    for task in tasks:
        own = [a for a in annotations.get(task.item_id, []) if a.task_id == task.id]
        if own and task.state is not TaskState.CANCELLED:
            states[task.id] = task_state(own, overlap)
    tx.tasks.set_states(states)
    return _revise(tx, annotations)


def _revise(tx: Transaction, annotations: Mapping[int, Sequence[Annotation]]) -> int:
    labels = tx.annotations.label_of(annotations)
    changed = 0
    for item_id in sorted(annotations):
        consensus = majority(annotations[item_id])
        known = labels.get(item_id)
        if known is None and consensus.status is LabelStatus.WITHDRAWN:
            continue
        if known is None or _facts(known) != tuple(consensus):
            tx.annotations.revise(item_id, known.revision + 1 if known else 1, consensus, method=METHOD)
            changed += 1
    return changed


def _facts(label: Label) -> tuple[object, ...]:
    return (label.value, label.status, label.confidence, label.annotations)


def _move_cursor(parts: Parts, link: LabelerLink, newest: datetime | None) -> None:
    if newest is not None and newest != link.cursor:
        with parts.store.begin() as tx:
            tx.projects.move_cursor(parts.project.id, link.labeler, newest)
