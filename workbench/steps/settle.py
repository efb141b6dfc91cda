"""Labeling → settled: decide that the batch is answered, and check that it was served as intended."""

import bisect
from dataclasses import dataclass
from datetime import datetime

from workbench.domain.records import Reason, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import Parts
from workbench.storage.store import Transaction

ANSWERED = frozenset({TaskState.LABELED, TaskState.SKIPPED, TaskState.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch is: tasks that are answered, all tasks, and those that need a second look."""

    answered: int
    total: int
    invalid: int
    #: Answered, and served to one more person than at first: their labels are in doubt.
    further: int = 0

    @property
    def share(self) -> float:
        """The answered share."""
        return self.answered / self.total if self.total else 1.0


def progress_of(tx: Transaction, current: Round) -> Progress:
    """Count the states of a round's tasks; those that measure annotators hold nothing up."""
    gold = {s.item_key for s in tx.tasks.selections(current.id) if s.reason is Reason.GOLD}
    tasks = [task for task in tx.tasks.of_round(current.id) if task.item_key not in gold]
    states = [task.state for task in tasks]
    return Progress(
        answered=sum(state in ANSWERED for state in states),
        total=len(states),
        invalid=sum(state is TaskState.INVALID for state in states),
        further=sum(task.state is TaskState.OPEN and (task.overlap or 1) > 1 for task in tasks),
    )


def settle(parts: Parts, held: Round, *, close: bool) -> Round:
    """Go on when enough is answered, or when told to close; otherwise stay in labeling."""
    with parts.store.begin() as tx:
        progress = progress_of(tx, held)
        if progress.share < parts.config.round.close_when and not close:
            return held
        words = f"{progress.answered} of {progress.total} tasks answered"
        order = served_in_order(tx, held)
        if order is not None:
            words += f"; {order:.0%} of pairs were answered in the intended order"
        return tx.rounds.move(held, RoundState.SETTLED, words=words)


def served_in_order(tx: Transaction, current: Round) -> float | None:
    """The share of pairs of tasks that were first answered in the order of their ranks.

    1 when the labeler served exactly as intended, about 0.5 when it served at random; None for fewer
    than two answers.
    """
    tasks = tx.tasks.of_round(current.id)
    annotations = tx.annotations.of_items(task.item_id for task in tasks)
    answered: list[tuple[datetime, int]] = []
    for rank, task in enumerate(tasks):
        times = [a.created_at for a in annotations.get(task.item_id, []) if a.task_id == task.id]
        if times:
            answered.append((min(times), rank))
    return _concordance([rank for _, rank in sorted(answered)])


def _concordance(ranks: list[int]) -> float | None:
    if len(ranks) < 2:
        return None
    seen: list[int] = []
    concordant = 0
    for rank in ranks:
        concordant += bisect.bisect(seen, rank)
        bisect.insort(seen, rank)
    return concordant / (len(ranks) * (len(ranks) - 1) / 2)
