"""Mend what a comparison of tasks has found. Each repair looks again first, and can be run twice."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from workbench.domain.errors import PoolProblem
from workbench.domain.reconcile import Finding, Kind, Outcome, of_kinds
from workbench.domain.records import LabelerLink, Task, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import Parts
from workbench.steps.pull import consolidate
from workbench.steps.push import bring, model_version
from workbench.steps.reconcile_attempt import done, note
from workbench.steps.reconcile_tasks import Copy, Shelf, is_served
from workbench.steps.tidy import WAITING, find_all, take_back
from workbench.storage.statements import chunked

AT_ONCE = 1000
NOT_THERE = frozenset({TaskState.PENDING, *WAITING})


def plan_missing(parts: Parts, rounds: Iterable[Round], *, fix: bool) -> list[Finding]:
    """Selected items without a task: they get one, which is then missing at the labeler like any other."""
    findings: list[Finding] = []
    for current in rounds:
        with parts.store.begin() as tx:
            have = {task.item_key for task in tx.tasks.of_round(current.id)}
            lost = [pick for pick in tx.tasks.selections(current.id) if pick.item_key not in have]
            if current.state is RoundState.CANCELLED or not have or not lost:
                continue
            found = [_unplanned(current, pick.item_key) for pick in lost]
            if fix:
                ids = {
                    item.key: item.id
                    for item in tx.pool.by_key(parts.project.id, [f.item_key for f in lost]).values()
                }
                tx.tasks.choose(current.id, parts.labeler.name, lost, ids)
                found = done(found)
                note(parts, tx, found)
            findings += found
    return findings


def _unplanned(current: Round, key: str) -> Finding:
    return Finding(
        kind=Kind.UNPLANNED,
        outcome=Outcome.FIXABLE,
        found="was selected, and has no task",
        action="gets its task",
        round=current.number,
        item=key,
    )


def repair(
    parts: Parts,
    link: LabelerLink,
    shelves: Mapping[str, Shelf],
    findings: Sequence[Finding],
    held: Round | None,
) -> list[Finding]:
    """Mend what can be mended; gives the findings as they are afterwards.

    Args:
        held: The round that is served now, under our lease.
    """
    mended: dict[Finding, Finding] = {}
    _withdraw(parts, shelves, of_kinds(findings, Kind.WITHDRAWN), mended)
    by_round: dict[int | None, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.outcome is Outcome.FIXABLE:
            by_round[finding.round].append(finding)
    for shelf in shelves.values():
        own = by_round[shelf.round.number]
        lease = held if held is not None and held.id == shelf.round.id else None
        _undouble(parts, link, shelf, of_kinds(own, Kind.DOUBLED, Kind.UNLINKED), lease, mended)
        missing = of_kinds(own, Kind.MISSING)
        if not is_served(shelf.round):
            _note_gone(parts, shelf, missing, mended)
        elif lease is not None:
            _send(parts, link, shelf, missing, lease, mended)
            _reorder(parts, link, shelf, of_kinds(own, Kind.OUT_OF_ORDER), lease, mended)
            if any(shelf.copies.values()) or any(finding in mended for finding in missing):
                _release(parts, link, of_kinds(own, Kind.RELEASE), lease, mended)
    return [mended.get(finding, finding) for finding in findings]


def _finish(parts: Parts, findings: Sequence[Finding], mended: dict[Finding, Finding]) -> None:
    """Note in the audit trail what was done."""
    fixed = done(findings)
    with parts.store.begin() as tx:
        note(parts, tx, fixed)
    mended.update(zip(findings, fixed, strict=True))


def _withdraw(
    parts: Parts, shelves: Mapping[str, Shelf], findings: Sequence[Finding], mended: dict[Finding, Finding]
) -> None:
    if not findings:
        return
    numbers = {shelf.round.number: shelf for shelf in shelves.values()}
    tasks = [numbers[f.round].tasks[str(f.item)] for f in findings if f.round is not None]
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        tx.tasks.set_states({task.id: TaskState.CANCELLED for task in tasks})
    take_back(parts)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        back = tx.tasks.by_item_key(
            parts.project.id, parts.labeler.name, {task.item_key for task in tasks}
        ).values()
        mine = {task.id for task in tasks}
        # One that somebody has answered stays with the labeler; it counts like any other.
        consolidate(parts, tx, [t for t in back if t.id in mine and t.state is TaskState.OPEN])
    _finish(parts, findings, mended)


def _undouble(
    parts: Parts,
    link: LabelerLink,
    shelf: Shelf,
    findings: Sequence[Finding],
    held: Round | None,
    mended: dict[Finding, Finding],
) -> None:
    if is_served(shelf.round) and held is None:
        return
    for chunk in chunked(findings, AT_ONCE):
        tasks = [shelf.tasks[str(finding.item)] for finding in chunk]
        # Looked at again: what was answered meanwhile is no longer untouched.
        copies: dict[str, list[Copy]] = defaultdict(list)
        for found in find_all(parts, link, shelf.round, tasks):
            copies[found.item_key].append(Copy(found.task_id, found.annotated))
        stays = {task.id: keeper(task, copies[task.item_key]) for task in tasks if copies[task.item_key]}
        extra = _untouched(copies, set(stays.values()))
        if extra:
            if held is not None:
                parts.renew(held)
            parts.labeler.delete_tasks(link.external_id, extra)
        with parts.store.begin() as tx:
            tx.projects.lock(parts.project.id)
            moved = {t.id: stays[t.id] for t in tasks if t.id in stays and stays[t.id] != t.external_id}
            tx.tasks.relink(moved, {task.id: task.external_id for task in tasks})
        _finish(parts, chunk, mended)


def keeper(task: Task, copies: Sequence[Copy]) -> str:
    """The copy that stands for the task: a touched one first, then the one we know, then the first."""
    touched = [copy for copy in copies if copy.annotated] or list(copies)
    known = [copy.task_id for copy in touched if copy.task_id == task.external_id]
    return (known or [copy.task_id for copy in touched])[0]


def _untouched(copies: Mapping[str, Sequence[Copy]], stays: Collection[str]) -> list[str]:
    every = [copy for found in copies.values() for copy in found]
    return [copy.task_id for copy in every if not copy.annotated and copy.task_id not in stays]


def _note_gone(
    parts: Parts, shelf: Shelf, findings: Sequence[Finding], mended: dict[Finding, Finding]
) -> None:
    if not findings:
        return
    ids = {shelf.tasks[str(finding.item)].id for finding in findings}
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        # Read again: what was answered meanwhile is not gone.
        tasks = [t for t in tx.tasks.of_round(shelf.round.id) if t.id in ids and t.state in NOT_THERE]
        tx.tasks.set_states({task.id: TaskState.GONE for task in tasks})
    _finish(parts, findings, mended)


def _send(
    parts: Parts,
    link: LabelerLink,
    shelf: Shelf,
    findings: Sequence[Finding],
    held: Round,
    mended: dict[Finding, Finding],
) -> None:
    for chunk in chunked(findings, AT_ONCE):
        ids = {shelf.tasks[str(finding.item)].id for finding in chunk}
        with parts.store.begin() as tx:
            tx.projects.lock(parts.project.id)
            tx.rounds.hold(held)
            tasks = [t for t in tx.tasks.of_round(held.id) if t.id in ids and t.state in NOT_THERE]
            # The intent first: killed from here on, the next look finds what is left to send.
            tx.tasks.set_states({task.id: TaskState.PENDING for task in tasks})
        try:
            bring(parts, held, link, [replace(task, state=TaskState.PENDING) for task in tasks])
        except PoolProblem as problem:
            _refused(chunk, problem, mended)
        else:
            _finish(parts, chunk, mended)


def _refused(findings: Sequence[Finding], problem: PoolProblem, mended: dict[Finding, Finding]) -> None:
    for finding in findings:
        mended[finding] = replace(finding, outcome=Outcome.PERSON, action=str(problem))


def _reorder(
    parts: Parts,
    link: LabelerLink,
    shelf: Shelf,
    findings: Sequence[Finding],
    held: Round,
    mended: dict[Finding, Finding],
) -> None:
    for chunk in chunked(findings, AT_ONCE):
        parts.renew(held)
        # Looked at again: Label Studio gives the number of a copy that was removed to the next task it gets.
        items = {str(finding.item): shelf.tasks[str(finding.item)] for finding in chunk}
        there = {(t.task_id, t.item_key) for t in find_all(parts, link, shelf.round, list(items.values()))}
        wanted = {
            str(finding.task): shelf.wanted[str(finding.item)]
            for finding in chunk
            if (finding.task, finding.item) in there
        }
        parts.labeler.set_predictions(link.external_id, wanted)
        _finish(parts, chunk, mended)


def _release(
    parts: Parts,
    link: LabelerLink,
    findings: Sequence[Finding],
    held: Round,
    mended: dict[Finding, Finding],
) -> None:
    if not findings:
        return
    parts.renew(held)
    parts.labeler.release(link.external_id, model_version(parts, held))
    _finish(parts, findings, mended)
