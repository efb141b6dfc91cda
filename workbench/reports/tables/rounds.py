"""Every round: where it stands, what chose its batch, and what became of its tasks."""

from collections import Counter
from dataclasses import dataclass

from workbench.domain.records import Project, Reason, TaskState
from workbench.storage.store import Transaction

NAME = "rounds"
TITLE = "Rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round and the states of its tasks."""

    round: int
    state: str
    chosen_by: str
    batch: int
    random: int
    labeled: int
    skipped: int
    invalid: int
    open: int
    gone: int
    error: str | None


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a round, oldest first."""
    found = []
    for current in tx.rounds.all(project.id):
        states = Counter(task.state for task in tx.tasks.of_round(current.id))
        chosen = tx.tasks.selections(current.id)
        found.append(
            Row(
                round=current.number,
                state=current.state,
                chosen_by=current.strategy or "–",
                batch=len(chosen) or current.batch_size,
                random=sum(pick.reason is Reason.CONTROL for pick in chosen),
                labeled=states[TaskState.LABELED],
                skipped=states[TaskState.SKIPPED],
                invalid=states[TaskState.INVALID],
                open=states[TaskState.OPEN] + states[TaskState.PENDING],
                gone=states[TaskState.GONE] + states[TaskState.CANCELLED],
                error=current.error,
            )
        )
    return found
