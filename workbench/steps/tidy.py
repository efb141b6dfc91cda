"""Bring what the labeler holds of a round in line with what it should hold.

Second copies that nobody has touched are removed; only a late commit after a lost answer, or a process that
outlived its lease, can make them. Tasks that somebody has deleted are noted. Tasks of a cancelled round are
taken back. Of many tasks a count comes first: as long as it is right, nothing is looked at closely. A
deletion and a second copy cancel each other out in it, and are seen when few tasks are left to wait for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from connectors.labelers.records import TaskId
from workbench.domain.consensus import task_state
from workbench.domain.records import LabelerLink, Task, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

DELETE_AT_ONCE = 1000
#: So many tasks are looked at about as fast as counted.
FEW = 200
WAITING = frozenset({TaskState.OPEN, TaskState.INVALID})
#: Known not to be at the labeler.
ABSENT = frozenset({TaskState.PENDING, TaskState.GONE, TaskState.WITHDRAWN})


def find_all(parts: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task]) -> list[TaskId]:
    """Every copy of these tasks that the labeler holds."""
    if not tasks:
        return []
    keys = [task.item_key for task in tasks]
    return parts.labeler.find_tasks(link.external_id, parts.round_key(current), keys)


def tidy_round(parts: Parts, current: Round, held: Round | None = None) -> None:
    """Remove untouched second copies of a round's waiting tasks, and note those that are gone.

    Labels that came from a task that is gone stay.

    Args:
        held: The lease under which this is done, if there is one.
    """
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        all_tasks = tx.tasks.of_round(current.id)
    tasks = [task for task in all_tasks if task.state in WAITING]
    if link is None or not tasks:
        return
    if len(tasks) > FEW and _count_is_right(parts, link, current, all_tasks):
        return
    there = find_all(parts, link, current, tasks)
    _remove_doubles(parts, link, current, tasks, there, held)
    found = {task.item_key for task in there}
    _note_gone(parts, current, {task.id for task in tasks if task.item_key not in found}, held)


def _count_is_right(parts: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task]) -> bool:
    expected = sum(task.state not in ABSENT for task in tasks)
    return parts.labeler.count_tasks(link.external_id, parts.round_key(current)) == expected


def tidy_waiting(parts: Parts) -> None:
    """Do so for the open round and for every closed one that still waits for an answer."""
    with parts.store.read() as tx:
        rounds = tx.rounds.all(parts.project.id)
        waiting = {task.round_id for state in WAITING for task in tx.tasks.in_state(parts.project.id, state)}
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    due = [found for found in rounds if found.id in waiting and found.state is not RoundState.CANCELLED]
    if link is None or not due:
        return
    with answering(parts):
        for current in due:
            tidy_round(parts, current)


def take_back(parts: Parts) -> None:
    """Delete the tasks of cancelled rounds at the labeler; one that was touched meanwhile stays there.

    Run again after a kill, it does what is left. Where nothing is left the labeler is not asked, and whether
    it answers is not known.
    """
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        left = any(
            task.labeler == parts.labeler.name
            for task in tx.tasks.in_state(parts.project.id, TaskState.CANCELLED)
        )
    if link is None or not left:
        take_back_now(parts)
        return
    with answering(parts):
        take_back_now(parts)


def take_back_now(parts: Parts) -> None:
    """Do so inside work that notes by itself whether the labeler answers."""
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        tasks: dict[int, list[Task]] = defaultdict(list)
        for task in tx.tasks.in_state(parts.project.id, TaskState.CANCELLED):
            if task.labeler == parts.labeler.name:
                tasks[task.round_id].append(task)
        rounds = {current.id: current for current in tx.rounds.all(parts.project.id)} if tasks else {}
    for round_id, own in tasks.items():
        there = find_all(parts, link, rounds[round_id], own) if link else []
        if link:
            _delete(parts, link, [found.task_id for found in there if not found.annotated], None)
        touched = {found.item_key for found in there if found.annotated}
        with parts.store.begin() as tx:
            tx.projects.lock(parts.project.id)
            tx.tasks.set_states(_after_taking_back(parts, tx, own, touched))


def _after_taking_back(
    parts: Parts, tx: Transaction, tasks: Sequence[Task], touched: set[str]
) -> dict[int, TaskState]:
    stay = [task for task in tasks if task.item_key in touched]
    known = tx.annotations.brief_of_items({task.item_id for task in stay})
    states = {task.id: TaskState.WITHDRAWN for task in tasks}
    for task in stay:
        own = [a for a in known.get(task.item_id, ()) if a.task_id == task.id]
        states[task.id] = task_state(
            own, parts.config.labeler.overlap if task.overlap is None else task.overlap
        )
    return states


def _delete(parts: Parts, link: LabelerLink, task_ids: Sequence[str], held: Round | None) -> None:
    for some in chunked(task_ids, DELETE_AT_ONCE):
        if held is not None:
            parts.renew(held)
        parts.labeler.delete_tasks(link.external_id, some)


def _remove_doubles(
    parts: Parts,
    link: LabelerLink,
    current: Round,
    tasks: Sequence[Task],
    there: Sequence[TaskId],
    held: Round | None,
) -> None:
    copies: dict[str, list[TaskId]] = defaultdict(list)
    for found in there:
        copies[found.item_key].append(found)
    stays = {task.id: kept(task, copies[task.item_key]) for task in tasks if copies[task.item_key]}
    moved = {
        task.id: stays[task.id] for task in tasks if task.id in stays and stays[task.id] != task.external_id
    }
    stay = set(stays.values())
    extra = [t.task_id for t in there if not t.annotated and t.task_id not in stay]
    _delete(parts, link, extra, held)
    if extra or moved:
        seen: Mapping[int, str | None] = {task.id: task.external_id for task in tasks}
        with parts.store.begin() as tx:
            _alone(parts, tx, held)
            tx.tasks.relink(moved, seen)
            words = f"{len(extra)} second copies of tasks removed at the labeler"
            tx.results.note(parts.project.id, "doubles", words, round_id=current.id)


def kept(task: Task, copies: Sequence[TaskId]) -> str:
    """The copy we know, if it is there; else one that was touched; else the first."""
    known = [copy.task_id for copy in copies if copy.task_id == task.external_id]
    touched = [copy.task_id for copy in copies if copy.annotated]
    return (known or touched or [copy.task_id for copy in copies])[0]


def _note_gone(parts: Parts, current: Round, missing: set[int], held: Round | None) -> None:
    if not missing:
        return
    with parts.store.begin() as tx:
        _alone(parts, tx, held)
        # Read again: what was answered while we looked is not gone.
        tasks = tx.tasks.of_round(current.id)
        gone = {t.id: TaskState.GONE for t in tasks if t.id in missing and t.state in WAITING}
        if gone:
            tx.tasks.set_states(gone)
            words = f"{len(gone)} tasks were deleted at the labeler"
            tx.results.note(parts.project.id, "tasks-gone", words, round_id=current.id)


def _alone(parts: Parts, tx: Transaction, held: Round | None) -> None:
    """Let no pull write meanwhile, and no process that was overtaken."""
    tx.projects.lock(parts.project.id)
    if held is not None:
        tx.rounds.hold(held)
