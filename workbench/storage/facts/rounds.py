"""Rounds, where their tasks stood, and what they picked."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Selection, TaskState
from workbench.domain.rounds import RoundState
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import item, round_, round_move, selection, task, task_move
from workbench.storage.tasks import to_selection


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


class RoundFacts:
    """Rounds as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[RoundThen]:
        """Every round that had begun, oldest first."""
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
        return [
            RoundThen(
                **{
                    **row,
                    "state": RoundState(row["state"]),
                    "failed_from": RoundState(row["failed_from"]) if row["failed_from"] else None,
                }
            )
            for row in rows.mappings()
        ]

    def tasks_by_state(self) -> dict[int, dict[TaskState, int]]:
        """How many tasks of each round, by its id, stood in each state; without adjudication."""
        newest = (
            sa.select(task_move.c.task_id, sa.func.max(task_move.c.id).label("id"))
            .join(task, task.c.id == task_move.c.task_id)
            .join(round_, round_.c.id == task.c.round_id)
            .where(round_.c.project_id == self._moment.project.id, task_move.c.at <= self._moment.at)
            .group_by(task_move.c.task_id)
            .subquery()
        )
        moved = sa.select(task_move).join(newest, newest.c.id == task_move.c.id).subquery()
        state = sa.func.coalesce(moved.c.state, task.c.state).label("state")
        rows = self._moment.connection.execute(
            sa.select(task.c.round_id, state, sa.func.count().label("n"))
            .join(round_, round_.c.id == task.c.round_id)
            .outerjoin(moved, moved.c.task_id == task.c.id)
            .where(
                round_.c.project_id == self._moment.project.id,
                round_.c.created_at <= self._moment.at,
                task.c.labeler.not_like(f"%{QUEUE}"),
                sa.or_(moved.c.id.is_not(None), sa.not_(_has_moves())),
            )
            .group_by(task.c.round_id, state)
        )
        found: dict[int, dict[TaskState, int]] = defaultdict(dict)
        for row in rows:
            found[row.round_id][TaskState(row.state)] = row.n
        return dict(found)

    def picks(self, round_id: int) -> list[Selection]:
        """What a round chose, most wanted first. Chosen once, never changed."""
        rows = self._moment.connection.execute(
            sa.select(selection, item.c.key.label("item_key"))
            .join(item, item.c.id == selection.c.item_id)
            .where(selection.c.round_id == round_id)
            .order_by(selection.c.rank)
        )
        return [to_selection(row) for row in rows]


def _has_moves() -> sa.ColumnElement[bool]:
    return sa.exists().where(task_move.c.task_id == task.c.id)
