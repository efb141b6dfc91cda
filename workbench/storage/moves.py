"""Where rounds and tasks stood when: a row for every change, so that an old report can be made again."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from workbench.domain.records import TaskState
from workbench.storage.statements import chunked
from workbench.storage.tables import round_, round_move, task, task_move

_OF_ROUND = ("state", "failed_from", "strategy", "scoring_run_id", "model_run_id", "error")


def note_round(connection: sa.Connection, now: datetime, round_id: int) -> None:
    """Keep where a round stands; called after each change of its state."""
    time = sa.literal(now, round_move.c.at.type)
    found = sa.select(round_.c.id, time, *(round_.c[name] for name in _OF_ROUND)).where(
        round_.c.id == round_id
    )
    connection.execute(round_move.insert().from_select(["round_id", "at", *_OF_ROUND], found))


def note_tasks(
    connection: sa.Connection,
    now: datetime,
    task_ids: Iterable[int],
    state: TaskState,
    *,
    only: TaskState | None = None,
) -> None:
    """Keep that tasks come to a state; called before they do, and only those in another one are noted.

    Args:
        only: The state that those are in which will move.
    """
    moves = task.c.state != state if only is None else task.c.state == only
    for chunk in chunked(task_ids):
        _note(connection, now, state, sa.and_(task.c.id.in_(chunk), moves))


def note_new_tasks(connection: sa.Connection, now: datetime, round_id: int) -> None:
    """Keep where tasks of a round begin of which nothing is kept yet."""
    known = sa.exists().where(task_move.c.task_id == task.c.id)
    for state in TaskState:
        _note(
            connection,
            now,
            state,
            sa.and_(task.c.round_id == round_id, task.c.state == state, sa.not_(known)),
        )


def _note(
    connection: sa.Connection, now: datetime, state: TaskState, condition: sa.ColumnElement[bool]
) -> None:
    values = (sa.literal(now, task_move.c.at.type), sa.literal(str(state)))
    found = sa.select(task.c.id, *values).where(condition)
    connection.execute(task_move.insert().from_select(["task_id", "at", "state"], found))
