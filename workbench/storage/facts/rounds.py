"""Rounds, where their tasks stood, and what they picked."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Reason, Selection, TaskState
from workbench.domain.rounds import RoundState
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import annotation, item, label, round_, round_move, selection, task, task_move
from workbench.storage.tasks import to_selection

#: Items with such a cosine similarity are all but the same.
ALIKE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundThen:
    """A round as it stood at the moment."""

    id: int
    number: int
    state: RoundState
    failed_from: RoundState | None
    batch_size: int
    seed: int
    strategy: str | None
    error: str | None
    pool_size: int | None
    created_at: datetime
    #: Since when it is in its state.
    since: datetime
    #: Whether its batch was chosen.
    has_chosen: bool


class RoundMove(NamedTuple):
    """A round came to a state."""

    round_id: int
    at: datetime
    state: RoundState


class ScoreMeans(NamedTuple):
    """What the model said of items that were chosen for one reason, on average; None where it said nothing.

    Attributes:
        n: How many they are.
        entropy: Of the prediction, in nats.
        mutual_information: Between label and model, in nats.
        compared: How many were compared with the items chosen before them.
        redundancy: The largest cosine similarity to one of those.
        alike: How many were all but copies of one.
    """

    n: int
    entropy: float | None
    mutual_information: float | None
    compared: int
    redundancy: float | None
    alike: int


class Served(NamedTuple):
    """What had become of an item that a round chose.

    Attributes:
        state: Of its task; None where it had none yet.
        answers: Annotations that were there, skips included.
        label: The label in force: a class, ``conflict`` or ``withdrawn``.
    """

    state: TaskState | None
    answers: int
    label: str | None


class RoundFacts:
    """Rounds as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[RoundThen]:
        """Every round that had begun, oldest first."""
        return list(self._all)

    @cached_property
    def _all(self) -> list[RoundThen]:
        """Asked for by most panels of a report."""
        newest = (
            sa.select(sa.func.max(round_move.c.id))
            .join(round_, round_.c.id == round_move.c.round_id)
            .where(round_.c.project_id == self._moment.project.id, round_move.c.at <= self._moment.at)
            .group_by(round_move.c.round_id)
        )
        moved = sa.select(round_move).where(round_move.c.id.in_(newest)).subquery()
        rows = self._moment.connection.execute(
            sa.select(
                round_.c.id,
                round_.c.number,
                round_.c.batch_size,
                round_.c.seed,
                round_.c.pool_size,
                round_.c.created_at,
                # A round of before moves were kept is shown as it stands.
                sa.func.coalesce(moved.c.state, round_.c.state).label("state"),
                sa.case((moved.c.id.is_(None), round_.c.failed_from), else_=moved.c.failed_from).label(
                    "failed_from"
                ),
                sa.case((moved.c.id.is_(None), round_.c.strategy), else_=moved.c.strategy).label("strategy"),
                sa.case((moved.c.id.is_(None), round_.c.error), else_=moved.c.error).label("error"),
                sa.func.coalesce(moved.c.at, round_.c.updated_at).label("since"),
            )
            .outerjoin(moved, moved.c.round_id == round_.c.id)
            .where(round_.c.project_id == self._moment.project.id, round_.c.created_at <= self._moment.at)
            .order_by(round_.c.number)
        )
        chosen = set(self._moment.chosen_rounds())
        return [_round(row, has_chosen=row["id"] in chosen) for row in rows.mappings()]

    @cached_property
    def tasks_by_state(self) -> dict[int, dict[TaskState, int]]:
        """How many tasks of each round, by its id, stood in each state; without adjudication."""
        state = self._state_of_tasks()
        rows = self._moment.connection.execute(
            sa.select(task.c.round_id, state.label("state"), sa.func.count().label("n"))
            .where(
                # Rounds first: there are few, and with no statistics a join may begin at the wrong end.
                task.c.round_id.in_(self._rounds()),
                task.c.labeler.not_like(f"%{QUEUE}"),
                state.is_not(None),
            )
            .group_by(task.c.round_id, state)
        )
        found: dict[int, dict[TaskState, int]] = defaultdict(dict)
        for row in rows:
            found[row.round_id][TaskState(row.state)] = row.n
        return dict(found)

    def picks_by_reason(self) -> dict[int, dict[Reason, int]]:
        """How many items each round, by its id, chose for each reason. Chosen once, never changed.

        A round that had not chosen yet by then is to be left out by the caller: see ``RoundThen.has_chosen``.
        """
        rows = self._moment.connection.execute(
            sa.select(selection.c.round_id, selection.c.reason, sa.func.count().label("n"))
            .where(selection.c.round_id.in_(self._rounds()))
            .group_by(selection.c.round_id, selection.c.reason)
        )
        found: dict[int, dict[Reason, int]] = defaultdict(dict)
        for row in rows:
            found[row.round_id][Reason(row.reason)] = row.n
        return dict(found)

    def moves(self) -> list[RoundMove]:
        """Every change of a round's state, in their order."""
        rows = self._moment.connection.execute(
            sa.select(round_move.c.round_id, round_move.c.at, round_move.c.state)
            .where(round_move.c.round_id.in_(self._rounds()), round_move.c.at <= self._moment.at)
            .order_by(round_move.c.id)
        )
        return [RoundMove(row.round_id, row.at, RoundState(row.state)) for row in rows]

    def picks(self, round_id: int, most: int | None = None) -> list[Selection]:
        """What a round chose, most wanted first. Chosen once, never changed."""
        rows = self._moment.connection.execute(
            sa.select(selection, item.c.key.label("item_key"))
            .join(item, item.c.id == selection.c.item_id)
            .where(selection.c.round_id == round_id)
            .order_by(selection.c.rank)
            .limit(most)
        )
        return [to_selection(row) for row in rows]

    def score_means(self, round_id: int) -> dict[Reason, ScoreMeans]:
        """Means of what the model said of the items of a round, by why they were chosen."""
        alike = sa.func.sum(sa.case((selection.c.redundancy >= ALIKE, 1), else_=0))
        rows = self._moment.connection.execute(
            sa.select(
                selection.c.reason,
                sa.func.count().label("n"),
                sa.func.avg(selection.c.predictive_entropy).label("entropy"),
                sa.func.avg(selection.c.mutual_information).label("mutual_information"),
                sa.func.count(selection.c.redundancy).label("compared"),
                sa.func.avg(selection.c.redundancy).label("redundancy"),
                alike.label("alike"),
            )
            .where(selection.c.round_id == round_id)
            .group_by(selection.c.reason)
        )
        return {
            # In which order a database adds up is its own affair: what differs by it is cut off.
            Reason(row["reason"]): ScoreMeans(**{name: _cut(row[name]) for name in ScoreMeans._fields})
            for row in rows.mappings()
        }

    def served(self, round_id: int, most: int) -> dict[str, Served]:
        """What had become of the most wanted items of a round, by their keys."""
        wanted = (
            sa.select(selection.c.item_id)
            .where(selection.c.round_id == round_id)
            .order_by(selection.c.rank)
            .limit(most)
            .subquery()
        )
        rows = self._moment.connection.execute(
            sa.select(
                item.c.key, self._state_of_tasks().label("state"), _answers(self._moment), self._label()
            )
            .select_from(wanted)
            .join(item, item.c.id == wanted.c.item_id)
            .join(task, _in_ordinary_queue(item.c.id, round_id))
        )
        return {
            row.key: Served(TaskState(row.state) if row.state else None, row.answers, row.label)
            for row in rows
        }

    def first_answers(self, round_id: int) -> list[tuple[int, datetime]]:
        """Ranks of the items of a round that somebody has answered, with when that was first, by time."""
        first = sa.func.min(annotation.c.created_at)
        rows = self._moment.connection.execute(
            sa.select(selection.c.rank, first.label("at"))
            .join(task, _in_ordinary_queue(selection.c.item_id, round_id))
            .join(annotation, _of_task())
            .where(selection.c.round_id == round_id, annotation.c.received_at <= self._moment.at)
            .group_by(selection.c.rank)
            .order_by(first, selection.c.rank)
        )
        return [(row.rank, row.at) for row in rows]

    def _rounds(self) -> sa.Select[tuple[int]]:
        return sa.select(round_.c.id).where(
            round_.c.project_id == self._moment.project.id, round_.c.created_at <= self._moment.at
        )

    def _state_of_tasks(self) -> sa.ColumnElement[str | None]:
        """The state of a task then: as it is now, but for those that have moved since; None of later ones."""
        later = sa.select(task_move.c.task_id).where(task_move.c.at > self._moment.at)
        # Mostly none has: PostgreSQL counts ten times as fast by a column as by what is made of one.
        if self._moment.connection.execute(later.limit(1)).first() is None:
            return task.c.state
        then = (
            sa.select(task_move.c.state)
            .where(task_move.c.task_id == task.c.id, task_move.c.at <= self._moment.at)
            .order_by(task_move.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        return sa.case((task.c.id.in_(later), then), else_=task.c.state)

    def _label(self) -> sa.ColumnElement[str | None]:
        """The label in force of an item, or what is the matter with it."""
        in_force = sa.or_(label.c.superseded_at.is_(None), label.c.superseded_at > self._moment.at)
        return (
            sa.select(sa.func.coalesce(label.c.value, label.c.status))
            .where(label.c.item_id == item.c.id, label.c.created_at <= self._moment.at, in_force)
            .limit(1)
            .scalar_subquery()
            .label("label")
        )


def _cut(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value


def _round(row: Any, *, has_chosen: bool) -> RoundThen:
    facts = {
        "state": RoundState(row["state"]),
        "failed_from": RoundState(row["failed_from"]) if row["failed_from"] else None,
        # Written when the batch is chosen.
        "pool_size": row["pool_size"] if has_chosen else None,
    }
    return RoundThen(**{**row, **facts, "has_chosen": has_chosen})


def _answers(moment: Moment) -> sa.ColumnElement[int]:
    there = sa.select(sa.func.count()).where(
        _of_task(), moment.annotations(), annotation.c.deleted.is_(False)
    )
    return there.scalar_subquery().label("answers")


def _of_task() -> sa.ColumnElement[bool]:
    # By the item first: that column has an index.
    return sa.and_(annotation.c.item_id == task.c.item_id, annotation.c.task_id == task.c.id)


def _in_ordinary_queue(item_id: sa.ColumnElement[int], round_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        task.c.item_id == item_id, task.c.round_id == round_id, task.c.labeler.not_like(f"%{QUEUE}")
    )
