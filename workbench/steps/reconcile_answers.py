"""Compare every annotation at the labeler, and what follows from them here, with the database.

What is missing is found by reading it: each page goes through the pull's own code in a transaction, and what
that changed is what was wrong. Without ``fix`` the transaction is taken back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from connectors.labelers.records import Problem, RemoteAnnotation, RemoteTask
from workbench.domain.consensus import current, task_state, usable
from workbench.domain.reconcile import Finding, Kind, Outcome
from workbench.domain.records import Annotation, Label, LabelerLink, LabelStatus, Task, TaskState
from workbench.domain.rounds import ORDER, Round, RoundState
from workbench.steps.parts import Parts
from workbench.steps.pull import PAGE, consolidate, keep, latest
from workbench.steps.reconcile_attempt import attempt, done, note
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

#: Sorts a second reading of the same version behind the first.
REREAD = timedelta(microseconds=1)
TAKEN_BACK = frozenset({TaskState.CANCELLED, TaskState.WITHDRAWN})
PUT_BACK = "Answer and label are kept. Was the labeler put back from an older copy?"
Versions = Mapping[int, Sequence[Annotation]]


class Answers(NamedTuple):
    """What was found, and the newest moment that the labeler named."""

    findings: list[Finding]
    newest: datetime | None


class Match(NamedTuple):
    """A task of ours with its round's number, and what the labeler holds for it."""

    task: Task
    number: int
    remote: RemoteTask


def compare_answers(parts: Parts, link: LabelerLink, rounds: Mapping[str, Round], *, fix: bool) -> Answers:
    """Compare all annotations of these rounds, by key; with ``fix`` they are read."""
    findings: list[Finding] = []
    newest: datetime | None = None
    for page in chunked(parts.labeler.changed_tasks(link.external_id, None), PAGE):
        newest = max([*([newest] if newest else []), *(task.updated_at for task in page)])
        own = [task for task in latest(page) if task.round_key in rounds]
        if not own:
            continue
        with attempt(parts, keep=fix) as tx:
            found = list(_compare_page(parts, tx, own, rounds))
            found = done(found) if fix else found
            note(parts, tx, found)
        findings += found
    return Answers(findings, newest)


def compare_absent(parts: Parts, tasks: Sequence[tuple[int, Task]], *, fix: bool) -> list[Finding]:
    """Compare the labels and states of tasks, with their rounds' numbers, that are not at the labeler."""
    findings: list[Finding] = []
    for chunk in chunked(tasks, PAGE):
        with attempt(parts, keep=fix) as tx:
            # In this order: labels put the states back that the tasks came with.
            every = [*_labels(parts, tx, chunk), *_answered(parts, tx, chunk)]
            found = done(every) if fix else every
            note(parts, tx, found)
        findings += found
    return findings


def _compare_page(
    parts: Parts, tx: Transaction, page: Sequence[RemoteTask], rounds: Mapping[str, Round]
) -> Iterator[Finding]:
    matches = _matches(parts, tx, page, rounds)
    items = {match.task.item_id for match in matches}
    before = tx.annotations.brief_of_items(items)
    keep(parts, tx, page)
    read = tx.annotations.brief_of_items(items)
    yield from _news(matches, before, read)
    again = list(_reread(parts, tx, matches, before))
    yield from again
    yield from _unreadable(matches, before)
    yield from _older(tx, matches, before)
    changed = {item for item in items if len(read.get(item, ())) != len(before.get(item, ()))}
    changed |= {match.task.item_id for match in matches if match.task.item_key in {f.item for f in again}}
    now = _matches(parts, tx, page, rounds)
    yield from _moved(matches, now, changed)
    yield from _labels(parts, tx, [(m.number, m.task) for m in now if m.task.item_id not in changed])
    yield from _answered(parts, tx, [(m.number, m.task) for m in now], there=True)


def _matches(
    parts: Parts, tx: Transaction, page: Sequence[RemoteTask], rounds: Mapping[str, Round]
) -> list[Match]:
    keys = {remote.item_key for remote in page if remote.item_key is not None}
    tasks = tx.tasks.by_item_key(parts.project.id, parts.labeler.name, keys)
    marks = [(rounds[str(remote.round_key)].number, str(remote.item_key), remote) for remote in page]
    return [Match(tasks[n, key], n, remote) for n, key, remote in marks if (n, key) in tasks]


def _news(matches: Sequence[Match], before: Versions, after: Versions) -> Iterator[Finding]:
    """The versions that came in."""
    owners = {match.task.id: match for match in matches}
    for item_id, versions in after.items():
        old = before.get(item_id, ())
        known, ids = {_mark(version) for version in old}, {version.external_id for version in old}
        for version in versions:
            if _mark(version) not in known and version.task_id in owners:
                yield _piece(owners[version.task_id], version, known=version.external_id in ids)


def _mark(version: Annotation) -> tuple[str, datetime, bool]:
    return version.external_id, version.updated_at, version.deleted


def _piece(match: Match, version: Annotation, *, known: bool) -> Finding:
    what = _says(version)
    if version.deleted:
        kind, found, action = Kind.DELETED, f"{version.annotator}'s answer is gone", "is kept as deleted"
    elif known:
        kind, found, action = Kind.EDITED, f"{version.annotator} changed it: {what}", "is read"
    else:
        kind, found, action = Kind.UNREAD, f"{version.annotator}: {what}", "is read"
    return _finding(kind, match, found, action)


def _says(version: Annotation) -> str:
    if version.skipped:
        return "skipped"
    return f"'{version.label}'" if version.label is not None else f"no label ({version.problem})"


def _finding(
    kind: Kind, match: Match, found: str, action: str, outcome: Outcome = Outcome.FIXABLE
) -> Finding:
    return Finding(
        kind=kind,
        outcome=outcome,
        found=found,
        action=action,
        round=match.number,
        item=match.task.item_key,
        task=match.remote.task_id,
    )


def _known(
    matches: Sequence[Match], before: Versions
) -> Iterator[tuple[Match, RemoteAnnotation, Annotation]]:
    """Annotations of which we hold the very version that is there."""
    for match in matches:
        newest = {a.external_id: a for a in current(before.get(match.task.item_id, ()))}
        for there in match.remote.annotations:
            version = newest.get(there.annotation_id)
            if version is not None and version.updated_at == there.updated_at:
                yield match, there, version


def _reread(parts: Parts, tx: Transaction, matches: Sequence[Match], before: Versions) -> Iterator[Finding]:
    """Read what was no label while the labeling interface was wrong, and is one now."""
    versions = []
    for match, there, version in _known(matches, before):
        if version.problem is not None and there.label in parts.project.classes:
            versions.append(
                replace(
                    version,
                    label=there.label,
                    problem=None,
                    raw=there.raw,
                    updated_at=version.updated_at + REREAD,
                )
            )
            found = f"{version.annotator}: '{there.label}' was kept as no label ({version.problem})"
            yield _finding(Kind.MISREAD, match, found, "is read again")
    if versions:
        tx.annotations.add(parts.project.id, parts.labeler.name, versions)
        consolidate(parts, tx, [match.task for match in matches])


def _unreadable(matches: Sequence[Match], before: Versions) -> Iterator[Finding]:
    """Labels that the labeling interface, as it is now, could not have given."""
    for match, there, version in _known(matches, before):
        if version.label is not None and there.problem is Problem.MALFORMED:
            yield _finding(
                Kind.CONTROL,
                match,
                f"{version.annotator}: '{version.label}' was given under another tag than the labeling "
                "interface has now",
                "Give the Choices tag its old name again; the label is kept here.",
                Outcome.PERSON,
            )


def _older(tx: Transaction, matches: Sequence[Match], before: Versions) -> Iterator[Finding]:
    """Answers that are known here and newer than all that the labeler holds: it was put back from a copy."""
    suspects = [match for match in matches if _not_there(match, before.get(match.task.item_id, ()))]
    whole = tx.annotations.of_items({match.task.item_id for match in suspects})
    for match in suspects:
        for known in _not_there(match, whole[match.task.item_id]):
            if str(known.raw.get("task", match.remote.task_id)) == match.remote.task_id:
                found = f"{known.annotator}'s answer is not there, and newer than all that is"
                yield _finding(Kind.DELETED, match, found, PUT_BACK, Outcome.LEFT)


def _not_there(match: Match, versions: Iterable[Annotation]) -> list[Annotation]:
    there = {annotation.annotation_id for annotation in match.remote.annotations}
    own = current(a for a in versions if a.task_id == match.task.id)
    return [a for a in own if a.external_id not in there and a.updated_at > match.remote.updated_at]


def _moved(before: Sequence[Match], after: Sequence[Match], changed: set[int]) -> Iterator[Finding]:
    """States that reading alone has put right: they had contradicted what was known already."""
    states = {match.task.id: match.task.state for match in after}
    for match in before:
        was, now = match.task.state, states[match.task.id]
        if was is TaskState.PENDING and now is not was:
            found = "is at the labeler, and noted as not sent"
            yield _finding(Kind.UNLINKED, match, found, "its id is noted")
            continue
        if was is now or match.task.item_id in changed or {was, now} & TAKEN_BACK:
            continue
        yield _finding(Kind.STATE, match, f"noted as '{was}', and its answers say '{now}'", "is corrected")


def _answered(
    parts: Parts, tx: Transaction, tasks: Sequence[tuple[int, Task]], *, there: bool = False
) -> Iterator[Finding]:
    """States that promise answers which are not known. One that is gone and there again waits."""
    answers = tx.annotations.brief_of_items({task.item_id for _, task in tasks})
    overlap, states = parts.config.labeler.overlap, {}
    for number, task in tasks:
        own = [a for a in answers.get(task.item_id, ()) if a.task_id == task.id]
        says = task_state(own, overlap if task.overlap is None else task.overlap)
        promises = {TaskState.LABELED, TaskState.SKIPPED, *({TaskState.GONE} if there else ())}
        if task.state not in promises or says is task.state:
            continue
        states[task.id] = says
        yield Finding(
            kind=Kind.STATE,
            outcome=Outcome.FIXABLE,
            found=f"noted as '{task.state}', and its answers say '{says}'",
            action="is corrected",
            round=number,
            item=task.item_key,
            task=task.external_id,
        )
    tx.tasks.set_states(states)


def _labels(parts: Parts, tx: Transaction, tasks: Sequence[tuple[int, Task]]) -> Iterator[Finding]:
    """Labels that are not what their annotations say: the pull's own rule is asked what it would write."""
    suspects = _suspects(parts, tx, tasks)
    before = tx.annotations.label_of(items := {task.item_id for _, task in suspects})
    consolidate(parts, tx, [task for _, task in suspects])
    # Only labels are meant here: a task that is gone would get the state of one that is there.
    tx.tasks.set_states({task.id: task.state for _, task in suspects})
    after = tx.annotations.label_of(items)
    for number, task in {task.item_id: (number, task) for number, task in suspects}.values():
        was, now = before.get(task.item_id), after.get(task.item_id)
        if now is not None and (was is None or was.revision != now.revision):
            yield Finding(
                kind=Kind.LABEL,
                outcome=Outcome.FIXABLE,
                found=f"the label is {_label_words(was)}, and its annotations say {_label_words(now)}",
                action="gets a new revision",
                round=number,
                item=task.item_key,
            )


def _suspects(parts: Parts, tx: Transaction, tasks: Sequence[tuple[int, Task]]) -> Sequence[tuple[int, Task]]:
    """All; under a consensus that weighs people only those whose label stands on other votes."""
    if parts.config.annotators.consensus == "majority":
        return tasks
    items = {task.item_id for _, task in tasks}
    labels, answers = tx.annotations.label_of(items), tx.annotations.brief_of_items(items)
    wrong = {item for item in items if _stands_wrong(labels.get(item), answers.get(item, ()))}
    return [(number, task) for number, task in tasks if task.item_id in wrong]


def _stands_wrong(label: Label | None, answers: Iterable[Annotation]) -> bool:
    votes = {vote.external_id for vote in usable(answers)}
    if label is None or label.status is LabelStatus.WITHDRAWN:
        return bool(votes)
    return not votes or not set(label.annotations) <= votes


def _label_words(label: Label | None) -> str:
    if label is None:
        return "missing"
    return f"'{label.value}' ({label.status})" if label.value is not None else f"'{label.status}'"


def not_sent(current: Round) -> bool:
    """Whether the round's own push has still to bring its tasks to the labeler."""
    return current.position in ORDER and ORDER.index(current.position) < ORDER.index(RoundState.PUSHED)
