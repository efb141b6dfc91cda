"""Read what annotators did, keep every version of it, and say what it means for labels.

A cursor with overlap: asking twice for the same change is harmless, missing one is not. Annotations, the
labels that follow and the tasks' states are written in one transaction a page, one process at a time. A
page may be older than what another process has written meanwhile: it adds what is missing and takes nothing
away that is newer than itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from connectors.labelers.records import Problem, RemoteAnnotation, RemoteTask
from workbench.domain.adjudication import METHOD as ADJUDICATED
from workbench.domain.adjudication import is_queue, opinions, ruling
from workbench.domain.consensus import Consensus, current, majority, task_state
from workbench.domain.records import Annotation, Label, LabelerLink, LabelStatus, Task, TaskState
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.tidy import take_back_now
from workbench.storage.annotations import Revision
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

PAGE = 1000
#: A request may commit at the labeler long after its time stamp was taken.
OVERLAP = timedelta(minutes=10)
#: The stamps of answers are whole seconds, and two clocks are never quite the same.
CLOCKS_DIFFER = timedelta(minutes=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)
METHOD = "majority"

#: All versions of annotations by the item they are about.
Known = Mapping[int, Sequence[Annotation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull brought in."""

    #: New versions of annotations: made, edited or deleted.
    versions: int = 0
    #: Labels that are new or say something else now.
    labels: int = 0
    #: Tasks at the labeler that are none of ours.
    strangers: int = 0
    #: Tasks of cancelled rounds that came to the labeler after they had been taken back.
    late: int = 0

    def plus(self, other: "Pulled") -> "Pulled":
        """Both together."""
        return Pulled(
            versions=self.versions + other.versions,
            labels=self.labels + other.labels,
            strangers=self.strangers + other.strangers,
            late=self.late + other.late,
        )


class Match(NamedTuple):
    """A task of ours and what the labeler holds for it."""

    task: Task
    remote: RemoteTask


class Said(NamedTuple):
    """What the annotations of an item say together, and how that was found."""

    consensus: Consensus
    method: str


def pull(parts: Parts) -> Pulled:
    """Bring in everything that changed since the last pull. Run twice, the second changes nothing.

    Raises:
        LabelerError: The labeler is away or says no; what was read so far is kept.
    """
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        begun = tx.now
    if link is None:
        return Pulled()
    with answering(parts):
        total = _read_all(parts, link, begun)
        if total.late:
            take_back_now(parts)
    return total


def _read_all(parts: Parts, link: LabelerLink, begun: datetime) -> Pulled:
    there = parts.labeler.clock()
    since = _since(link.cursor, there, begun)
    total = Pulled()
    newest = link.cursor
    for page in chunked(parts.labeler.changed_tasks(link.external_id, since), PAGE):
        total = total.plus(_keep_page(parts, latest(page)))
        newest = max(filter(None, [newest, *(task.updated_at for task in page)]))
    _finish(parts, link, _cursor(newest, there, begun))
    return total


def _since(cursor: datetime | None, there: datetime | None, begun: datetime) -> datetime | None:
    """Where to read on; from the beginning when that place is still to come by both clocks.

    They were set back then: what has changed since carries stamps that seemed to be read already.
    """
    ahead = cursor is not None and cursor > max(begun, there or begun) + CLOCKS_DIFFER
    return None if cursor is None or ahead else max(cursor, BEGINNING + OVERLAP) - OVERLAP


def _cursor(newest: datetime | None, there: datetime | None, begun: datetime) -> datetime | None:
    """Up to where everything has been read: the newest change, or when reading began if that is later.

    Of the labeler's clock and ours the earlier one counts: whichever is ahead must not make us skip what is
    stamped after it was mended.
    """
    seen = min(newest, begun) if newest else None
    began = min(there, begun) if there else None
    return max(filter(None, [seen, began]), default=None)


def latest(page: Sequence[RemoteTask]) -> list[RemoteTask]:
    """A task that changed while it was read comes twice; the later view counts."""
    newest: dict[str, RemoteTask] = {}
    for task in page:
        known = newest.get(task.task_id)
        if known is None or task.updated_at >= known.updated_at:
            newest[task.task_id] = task
    return list(newest.values())


def _keep_page(parts: Parts, page: Sequence[RemoteTask]) -> Pulled:
    with parts.store.begin() as tx:
        return keep(parts, tx, page)


def keep(parts: Parts, tx: Transaction, page: Sequence[RemoteTask]) -> Pulled:
    """Write what tasks of the labeler say into the database."""
    # Two pulls at once would each see only their own half of an item's annotations.
    tx.projects.lock(parts.project.id)
    matches = _ours(parts, tx, page)
    items = {match.task.item_id for match in matches}
    before = tx.annotations.brief_of_items(items)
    found = list(_news(parts, tx, matches, before))
    added = tx.annotations.add(parts.project.id, parts.labeler.name, found)
    after = _together(before, found) if added == len(found) else tx.annotations.brief_of_items(items)
    late = _set_states(parts, tx, [match.task for match in matches], after)
    changed = sorted({version.item_id for version in found})
    revised = _revise(tx, {item_id: after[item_id] for item_id in changed if item_id in after})
    return Pulled(versions=added, labels=revised, strangers=len(page) - len(matches), late=late)


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


def _news(parts: Parts, tx: Transaction, matches: Sequence[Match], before: Known) -> Iterator[Annotation]:
    """What is not known yet: new versions, and a tombstone for each annotation that is gone."""
    known = {_version_key(a) for versions in before.values() for a in versions}
    for task, remote in matches:
        for annotation in remote.annotations:
            if (annotation.annotation_id, annotation.updated_at, False) not in known:
                yield _version(parts, task, annotation, remote)
    yield from _tombstones(tx, matches, before)


def _version_key(annotation: Annotation) -> tuple[str, datetime, bool]:
    return annotation.external_id, annotation.updated_at, annotation.deleted


def _tombstones(tx: Transaction, matches: Sequence[Match], before: Known) -> Iterator[Annotation]:
    suspects = [match for match in matches if any(_missing(match, before.get(match.task.item_id, ())))]
    # A task may have two copies, and the one that was read holds nothing of the other: the labeler's own
    # record says which of them an annotation is in.
    whole = tx.annotations.of_items({match.task.item_id for match in suspects})
    for match in suspects:
        for known in _missing(match, whole[match.task.item_id]):
            if str(known.raw.get("task", match.remote.task_id)) == match.remote.task_id:
                yield replace(known, deleted=True, updated_at=match.remote.updated_at)


def _missing(match: Match, versions: Iterable[Annotation]) -> Iterator[Annotation]:
    """Annotations of a task that the labeler does not show any more, unless they are newer than its view."""
    there = {annotation.annotation_id for annotation in match.remote.annotations}
    for known in current(a for a in versions if a.task_id == match.task.id):
        if known.external_id not in there and known.updated_at <= match.remote.updated_at:
            yield known


def _version(parts: Parts, task: Task, found: RemoteAnnotation, remote: RemoteTask) -> Annotation:
    # The labeler checks against its own classes, and somebody may have renamed one there.
    stray = found.label is not None and found.label not in parts.project.classes
    return Annotation(
        external_id=found.annotation_id,
        task_id=task.id,
        item_id=task.item_id,
        annotator=found.annotator,
        label=None if stray else found.label,
        problem=Problem.UNKNOWN_LABEL if stray else found.problem,
        skipped=found.skipped,
        seconds=found.seconds,
        created_at=found.created_at,
        updated_at=found.updated_at,
        adjudicates=is_queue(parts.labeler.name),
        # In which copy of a doubled task it is: not every labeler writes that into the annotation.
        raw={"task": remote.task_id, **found.raw},
    )


def _together(before: Known, found: Sequence[Annotation]) -> Known:
    together: dict[int, list[Annotation]] = defaultdict(list)
    for item_id, versions in before.items():
        together[item_id].extend(versions)
    for version in found:
        together[version.item_id].append(version)
    return together


def consolidate(parts: Parts, tx: Transaction, tasks: Sequence[Task]) -> int:
    """Bring labels and task states in line with the annotations; says how many labels changed."""
    annotations = tx.annotations.brief_of_items({task.item_id for task in tasks})
    _set_states(parts, tx, tasks, annotations)
    return _revise(tx, annotations)


def _set_states(parts: Parts, tx: Transaction, tasks: Sequence[Task], after: Known) -> int:
    """Write where tasks stand now; says how many are to be taken back again."""
    states: dict[int, TaskState] = {}
    for task in tasks:
        own = [a for a in after.get(task.item_id, ()) if a.task_id == task.id]
        if (state := _state(task, own, parts)) is not task.state:
            states[task.id] = state
    tx.tasks.set_states(states)
    return sum(state is TaskState.CANCELLED for state in states.values())


def _state(task: Task, own: Sequence[Annotation], parts: Parts) -> TaskState:
    if task.state is TaskState.CANCELLED:
        return task.state
    if task.state is TaskState.WITHDRAWN and not current(own):
        # It is there all the same: sent by a process that outlived its round, it landed after the look.
        return TaskState.CANCELLED
    if not own:
        return task.state
    return task_state(own, parts.config.labeler.overlap if task.overlap is None else task.overlap)


def _revise(tx: Transaction, annotations: Known) -> int:
    labels = tx.annotations.label_of(annotations)
    gold = tx.pool.gold(annotations)
    found: dict[str, list[Revision]] = defaultdict(list)
    for item_id, versions in annotations.items():
        said = _said(versions)
        if item_id not in gold and (revision := _revision(item_id, said.consensus, labels.get(item_id))):
            found[said.method].append(revision)
    for method, revisions in found.items():
        tx.annotations.revise_all(revisions, method=method)
    return sum(map(len, found.values()))


def _said(versions: Sequence[Annotation]) -> Said:
    ruled = ruling(versions)
    return Said(ruled, ADJUDICATED) if ruled else Said(majority(opinions(versions)), METHOD)


def _revision(item_id: int, consensus: Consensus, known: Label | None) -> Revision | None:
    if known is None:
        return None if consensus.status is LabelStatus.WITHDRAWN else Revision(item_id, 1, consensus)
    same = (known.value, known.status, known.confidence, known.annotations) == tuple(consensus)
    return None if same else Revision(item_id, known.revision + 1, consensus)


def _finish(parts: Parts, link: LabelerLink, newest: datetime | None) -> None:
    moved = newest if newest != link.cursor else None
    if moved is None and link.woken_at is None:
        return
    with parts.store.begin() as tx:
        if moved is not None:
            tx.projects.move_cursor(parts.project.id, link.labeler, moved)
        if link.woken_at is not None:
            tx.projects.answered_wake(parts.project.id, link.labeler, link.woken_at)
