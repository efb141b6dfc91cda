"""Read what annotators did, keep every version of it, and say what it means for labels.

A cursor with overlap: asking twice for the same change is harmless, missing one is not. Annotations, the
labels that follow and the tasks' states are written in one transaction a page, one process at a time. A
page may be older than what another process has written meanwhile: it adds what is missing and takes nothing
away that is newer than itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

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
TAKEN_BACK = frozenset({TaskState.CANCELLED, TaskState.WITHDRAWN})


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


class Match(NamedTuple):
    """A task of ours and what the labeler holds for it."""

    task: Task
    remote: RemoteTask


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
        total = total.plus(_keep_page(parts, latest(page)))
        newest = max(filter(None, [newest, *(task.updated_at for task in page)]))
    _move_cursor(parts, link, newest)
    return total


def latest(page: Sequence[RemoteTask]) -> list[RemoteTask]:
    """A task that changed while it was read comes twice; the later view counts."""
    latest: dict[str, RemoteTask] = {}
    for task in page:
        known = latest.get(task.task_id)
        if known is None or task.updated_at >= known.updated_at:
            latest[task.task_id] = task
    return list(latest.values())


def _keep_page(parts: Parts, page: Sequence[RemoteTask]) -> Pulled:
    with parts.store.begin() as tx:
        return keep(parts, tx, page)


def keep(parts: Parts, tx: Transaction, page: Sequence[RemoteTask]) -> Pulled:
    """Write what tasks of the labeler say into the database."""
    # Two pulls at once would each see only their own half of an item's annotations.
    tx.projects.lock(parts.project.id)
    matches = _ours(parts, tx, page)
    before = tx.annotations.of_items({match.task.item_id for match in matches})
    versions = [version for match in matches for version in _versions(match, before)]
    new = tx.annotations.add(parts.project.id, parts.labeler.name, versions)
    revised = consolidate(parts, tx, [match.task for match in matches]) if new else 0
    return Pulled(versions=new, labels=revised, strangers=len(page) - len(matches))


def _ours(parts: Parts, tx: Transaction, page: Sequence[RemoteTask]) -> list[Match]:
    """Match by round and item, not by the labeler's ids: those of another server may be the same.

    A task whose id is not known yet (the process that sent it was killed) becomes known here.
    """
    keys = {remote.item_key for remote in page if remote.item_key is not None}
    tasks = tx.tasks.by_item_key(parts.project.id, parts.labeler.name, keys)
    rounds = {found.number: parts.round_key(found) for found in tx.rounds.all(parts.project.id)}
    by_mark = {(rounds[number], key): task for (number, key), task in tasks.items()}
    matches = [
        Match(by_mark[mark], remote)
        for remote in page
        if (mark := (str(remote.round_key), str(remote.item_key))) in by_mark
    ]
    tx.tasks.sent({task.id: remote.task_id for task, remote in matches if task.state is TaskState.PENDING})
    return matches


def _versions(match: Match, before: Mapping[int, Sequence[Annotation]]) -> Iterable[Annotation]:
    """The annotations of a task as they are now, and a tombstone for each that is gone."""
    task, remote = match
    yield from (_version(task, annotation) for annotation in remote.annotations)
    there = {annotation.annotation_id for annotation in remote.annotations}
    for known in current(a for a in before.get(task.item_id, ()) if a.task_id == task.id):
        missing = known.external_id not in there and known.updated_at <= remote.updated_at
        if missing and str(known.raw.get("task", remote.task_id)) == remote.task_id:
            yield replace(known, deleted=True, updated_at=remote.updated_at)


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


def consolidate(parts: Parts, tx: Transaction, tasks: Sequence[Task]) -> int:
    """Bring labels and task states in line with the annotations; says how many labels changed."""
    items = {task.item_id for task in tasks}
    annotations = tx.annotations.of_items(items)
    overlap = parts.config.labeler.overlap
    states = {}
    for task in tasks:
        own = [a for a in annotations.get(task.item_id, []) if a.task_id == task.id]
        if own and task.state not in TAKEN_BACK:
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
