"""Bring what the labeler holds of a round in line with what it should hold.

Second copies that nobody has touched are removed; only a late commit after a lost answer, or a process that
outlived its lease, can make them. Tasks that somebody has deleted are noted. Tasks of a cancelled round are
taken back.
"""

from collections import defaultdict
from collections.abc import Sequence

from connectors.labelers.records import TaskId
from workbench.domain.records import LabelerLink, Task, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import Parts
from workbench.storage.statements import chunked

BATCH = 1000
WAITING = frozenset({TaskState.OPEN, TaskState.INVALID})


def find_all(parts: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task]) -> list[TaskId]:
    """Every copy of these tasks that the labeler holds."""
    return [
        found
        for batch in chunked(tasks, BATCH)
        for found in parts.labeler.find_tasks(
            link.external_id, parts.round_key(current), [task.item_key for task in batch]
        )
    ]


def tidy_round(parts: Parts, current: Round) -> None:
    """Remove untouched second copies of a round's waiting tasks, and note those that are gone.

    Labels that came from a task that is gone stay.
    """
    with parts.store.begin() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        tasks = [task for task in tx.tasks.of_round(current.id) if task.state in WAITING]
    if link is None or not tasks:
        return
    there = find_all(parts, link, current, tasks)
    _remove_doubles(parts, link, current, tasks, there)
    found = {task.item_key for task in there}
    _note_gone(parts, current, {task.id for task in tasks if task.item_key not in found})


def tidy_waiting(parts: Parts) -> None:
    """Do so for the open round and for every closed one that still waits for an answer."""
    with parts.store.begin() as tx:
        rounds = tx.rounds.all(parts.project.id)
        waiting = {task.round_id for state in WAITING for task in tx.tasks.in_state(parts.project.id, state)}
    for current in rounds:
        if current.id in waiting and current.state is not RoundState.CANCELLED:
            tidy_round(parts, current)


def take_back(parts: Parts) -> None:
    """Delete the tasks of cancelled rounds at the labeler; one that was touched meanwhile stays there.

    Run again after a kill, it does what is left.
    """
    with parts.store.begin() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        tasks: dict[int, list[Task]] = defaultdict(list)
        for task in tx.tasks.in_state(parts.project.id, TaskState.CANCELLED):
            if task.labeler == parts.labeler.name:
                tasks[task.round_id].append(task)
        rounds = {current.id: current for current in tx.rounds.all(parts.project.id)}
    for round_id, own in tasks.items():
        there = find_all(parts, link, rounds[round_id], own) if link else []
        if link and there:
            parts.labeler.delete_tasks(link.external_id, [t.task_id for t in there if not t.annotated])
        touched = {found.item_key for found in there if found.annotated}
        states = {t.id: TaskState.OPEN if t.item_key in touched else TaskState.WITHDRAWN for t in own}
        with parts.store.begin() as tx:
            tx.tasks.set_states(states)


def _remove_doubles(
    parts: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task], there: Sequence[TaskId]
) -> None:
    copies: dict[str, list[TaskId]] = defaultdict(list)
    for found in there:
        copies[found.item_key].append(found)
    stays = {task.id: kept(task, copies[task.item_key]) for task in tasks if copies[task.item_key]}
    moved = {
        task.id: stays[task.id] for task in tasks if task.id in stays and stays[task.id] != task.external_id
    }
    extra = [t.task_id for t in there if not t.annotated and t.task_id not in set(stays.values())]
    if extra:
        parts.labeler.delete_tasks(link.external_id, extra)
    if extra or moved:
        with parts.store.begin() as tx:
            tx.tasks.relink(moved)
            words = f"{len(extra)} second copies of tasks removed at the labeler"
            tx.results.note(parts.project.id, "doubles", words, round_id=current.id)


def kept(task: Task, copies: Sequence[TaskId]) -> str:
    """The copy we know, if it is there; else one that was touched; else the first."""
    known = [copy.task_id for copy in copies if copy.task_id == task.external_id]
    touched = [copy.task_id for copy in copies if copy.annotated]
    return (known or touched or [copy.task_id for copy in copies])[0]


def _note_gone(parts: Parts, current: Round, missing: set[int]) -> None:
    with parts.store.begin() as tx:
        # Read again: what was answered while we looked is not gone.
        tasks = tx.tasks.of_round(current.id)
        gone = {t.id: TaskState.GONE for t in tasks if t.id in missing and t.state in WAITING}
        if gone:
            tx.tasks.set_states(gone)
            words = f"{len(gone)} tasks were deleted at the labeler"
            tx.results.note(parts.project.id, "tasks-gone", words, round_id=current.id)
