"""Everything about one round, for people who want to know what happened."""

from datetime import datetime
from typing import Any

from workbench.domain.absence import title, tried
from workbench.domain.consensus import current as newest
from workbench.domain.errors import RoundProblem
from workbench.domain.records import Annotation, Project, Task
from workbench.domain.rounds import Round
from workbench.storage.diary import Wanted
from workbench.storage.projects import Absence
from workbench.storage.store import Transaction

#: `workbench log --round N` shows all.
MOST_EVENTS = 200


def round_page(tx: Transaction, project: Project, number: int | None) -> dict[str, Any]:
    """One round with its picks, their answers and the diary; the newest round if none is named.

    Raises:
        RoundProblem: There is no such round.
    """
    found = find_round(tx, project, number)
    tasks = {task.item_key: task for task in tx.tasks.of_round(found.id)}
    annotations = tx.annotations.of_items(task.item_id for task in tasks.values())
    labels = tx.annotations.label_of(task.item_id for task in tasks.values())
    picks = []
    for pick in tx.tasks.selections(found.id):
        task = tasks[pick.item_key]
        label = labels.get(task.item_id)
        picks.append(
            {
                "rank": pick.rank + 1,
                "item": pick.item_key,
                "reason": pick.reason,
                "score": pick.score,
                "predicted": pick.predicted,
                "task": task.state,
                "label": label.value if label else None,
                "answers": _answers(task, annotations.get(task.item_id, [])),
            }
        )
    return {
        "round": found.number,
        "state": found.state,
        "chosen_by": found.strategy,
        "batch": len(picks) or found.batch_size,
        "seed": found.seed,
        "error": found.error,
        "held_by": _holder(found, tx.now),
        "away": [_away(absence) for absence in tx.projects.absences(project.id)],
        "picks": picks,
        "events": [
            {"at": event.at, "kind": event.kind, "message": event.message, "actor": event.actor}
            for event in tx.results.events(project.id, Wanted(round_id=found.id, limit=MOST_EVENTS))
        ],
    }


def _holder(found: Round, now: datetime) -> str | None:
    """Who works on the round, and how fresh that is; None when nobody does."""
    if not found.lease_owner or not found.lease_until:
        return None
    left = (found.lease_until - now).total_seconds()
    if left < 0:
        return f"{found.lease_owner}, whose lease ended {-left:.0f} s ago"
    return f"{found.lease_owner}, whose lease runs for {left:.0f} s more and is renewed while it lives"


def _away(absence: Absence) -> str:
    return (
        f"{title(absence.labeler)} has not answered since {absence.since:%Y-%m-%d %H:%M} UTC, "
        f"was {tried(absence.attempts)}, next attempt at {absence.next_attempt_at:%Y-%m-%d %H:%M} UTC. "
        f"It said last: {absence.last_error}"
    )


def find_round(tx: Transaction, project: Project, number: int | None) -> Round:
    """A round by its number; the newest if none is named.

    Raises:
        RoundProblem: There is no such round.
    """
    rounds = tx.rounds.all(project.id)
    if not rounds:
        raise RoundProblem("There is no round yet. Type `workbench round ask` to start one.")
    if number is None:
        return rounds[-1]
    for current in rounds:
        if current.number == number:
            return current
    raise RoundProblem(
        f"There is no round {number}; the rounds are {rounds[0].number} to {rounds[-1].number}. "
        "Type `workbench round list` to see them."
    )


def _answers(task: Task, versions: list[Annotation]) -> str:
    """All answers in words, those that were taken back or can not be labels included."""
    own = [a for a in versions if a.task_id == task.id]
    there = newest(own)
    words = [f"{a.annotator}: {_answer(a)}" for a in there]
    gone = {a.external_id: a.annotator for a in own}
    for annotation in there:
        gone.pop(annotation.external_id, None)
    return "; ".join([*words, *(f"{name}: deleted" for name in gone.values())])


def _answer(annotation: Annotation) -> str:
    if annotation.skipped:
        return "skipped"
    return f"invalid ({annotation.problem})" if annotation.problem else str(annotation.label)
