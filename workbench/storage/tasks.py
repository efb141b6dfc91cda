"""What a round chose, and the outbox of tasks that came from it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Reason, Selection, Task, TaskState
from workbench.storage.moves import note_new_tasks, note_tasks
from workbench.storage.statements import chunked, insert_missing
from workbench.storage.tables import item, round_, selection, task

#: Looked up rather than made: ten thousand tasks are read several times in a round.
_STATES = {state.value: state for state in TaskState}
_TASK = sa.select(task, item.c.key.label("item_key")).join(item, item.c.id == task.c.item_id)


class Tasks:
    """Selections and tasks."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def choose(
        self,
        round_id: int,
        labeler: str,
        selections: Sequence[Selection],
        item_ids: Mapping[str, int],
        *,
        overlaps: Mapping[str, int] | None = None,
        blind: Collection[str] = (),
    ) -> None:
        """Write the batch and its outbox, once.

        Args:
            overlaps: How many annotations tasks need, by item key, where it is not the project's number.
            blind: The keys of items that are shown without the model's answer.
        """
        insert_missing(
            self._connection, selection, [_selection_row(round_id, item_ids, s) for s in selections]
        )
        rows = [
            {
                "round_id": round_id,
                "item_id": item_ids[s.item_key],
                "labeler": labeler,
                "state": TaskState.PENDING,
                "external_id": None,
                "overlap": (overlaps or {}).get(s.item_key),
                "blind": s.item_key in blind,
            }
            for s in selections
        ]
        insert_missing(self._connection, task, rows)
        note_new_tasks(self._connection, self._now, round_id)

    def selections(self, round_id: int) -> list[Selection]:
        """The batch, most wanted first."""
        rows = self._connection.execute(
            sa.select(selection, item.c.key.label("item_key"))
            .join(item, item.c.id == selection.c.item_id)
            .where(selection.c.round_id == round_id)
            .order_by(selection.c.rank)
        )
        return [to_selection(row) for row in rows]

    def of_round(self, round_id: int) -> list[Task]:
        """The tasks of a round in the ordinary queue, in order of choice."""
        rows = self._connection.execute(
            _TASK.join(
                selection,
                sa.and_(selection.c.item_id == task.c.item_id, selection.c.round_id == task.c.round_id),
            )
            .where(task.c.round_id == round_id, task.c.labeler.not_like(f"%{QUEUE}"))
            .order_by(selection.c.rank)
        )
        return [to_task(row) for row in rows]

    def by_item_key(
        self, project_id: int, labeler: str, item_keys: Iterable[str]
    ) -> dict[tuple[int, str], Task]:
        """Our tasks at a labeler by round number and item key."""
        rounds = sa.select(round_.c.id, round_.c.number).where(round_.c.project_id == project_id)
        numbers = {row.id: row.number for row in self._connection.execute(rounds)}
        found: dict[tuple[int, str], Task] = {}
        for chunk in chunked(item_keys):
            # In two steps: as one join, PostgreSQL reads every task there is when its statistics are old.
            there = sa.select(item.c.id).where(item.c.project_id == project_id, item.c.key.in_(chunk))
            ids = self._connection.execute(there).scalars().all()
            rows = self._connection.execute(
                _TASK.where(task.c.item_id.in_(ids), task.c.labeler == labeler)
            ).all()
            found.update({(numbers[row.round_id], row.item_key): to_task(row) for row in rows})
        return found

    def in_state(self, project_id: int, state: TaskState) -> list[Task]:
        """All tasks of a project in a state."""
        rows = self._connection.execute(
            _TASK.join(round_, round_.c.id == task.c.round_id)
            .where(round_.c.project_id == project_id, task.c.state == state)
            .order_by(task.c.id)
        )
        return [to_task(row) for row in rows]

    def relink(self, external_ids: Mapping[int, str], seen: Mapping[int, str | None]) -> None:
        """Remember another copy of tasks whose first one is gone, unless they changed meanwhile."""
        same = task.c.external_id.is_not_distinct_from(sa.bindparam("seen_id", type_=sa.String))
        rows = [
            {"task_id": task_id, "new_id": new, "seen_id": seen[task_id]}
            for task_id, new in external_ids.items()
        ]
        self._update_each(same, {"external_id": sa.bindparam("new_id")}, rows)

    def sent(self, external_ids: Mapping[int, str]) -> None:
        """Remember the labeler's id of tasks that are there now."""
        rows = [{"task_id": task_id, "new_id": new} for task_id, new in external_ids.items()]
        values = {"external_id": sa.bindparam("new_id"), "state": TaskState.OPEN}
        note_tasks(self._connection, self._now, external_ids, TaskState.OPEN, only=TaskState.PENDING)
        self._update_each(task.c.state == TaskState.PENDING, values, rows)

    def _update_each(
        self, condition: sa.ColumnElement[bool], values: dict[str, Any], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        if rows:
            statement = task.update().where(task.c.id == sa.bindparam("task_id"), condition).values(**values)
            self._connection.execute(statement, rows)

    def set_states(self, states: Mapping[int, TaskState]) -> None:
        """Write where tasks stand."""
        for state in sorted(set(states.values())):
            moved = [task_id for task_id, wanted in states.items() if wanted is state]
            note_tasks(self._connection, self._now, moved, state)
            for chunk in chunked(moved):
                self._connection.execute(task.update().where(task.c.id.in_(chunk)).values(state=state))


def _selection_row(round_id: int, item_ids: Mapping[str, int], chosen: Selection) -> dict[str, Any]:
    return {
        "round_id": round_id,
        "item_id": item_ids[chosen.item_key],
        "rank": chosen.rank,
        "reason": chosen.reason,
        "score": chosen.score,
        "predictive_entropy": chosen.predictive_entropy,
        "expected_entropy": chosen.expected_entropy,
        "mutual_information": chosen.mutual_information,
        "predicted": chosen.predicted,
        "confidence": chosen.confidence,
        "propensity": chosen.propensity,
        "proposal": chosen.proposal,
        "neighbour": chosen.neighbour,
        "neighbour_distance": chosen.neighbour_distance,
        "redundancy": chosen.redundancy,
        "x": chosen.x,
        "y": chosen.y,
    }


def to_selection(row: Any) -> Selection:
    """A row of the selection table, with its item's key, as a record."""
    return Selection(
        item_key=row.item_key,
        rank=row.rank,
        reason=Reason(row.reason),
        score=row.score,
        predictive_entropy=row.predictive_entropy,
        expected_entropy=row.expected_entropy,
        mutual_information=row.mutual_information,
        predicted=row.predicted,
        confidence=row.confidence,
        propensity=row.propensity,
        proposal=row.proposal,
        neighbour=row.neighbour,
        neighbour_distance=row.neighbour_distance,
        redundancy=row.redundancy,
        x=row.x,
        y=row.y,
    )


def to_task(row: Any) -> Task:
    """A row of the task table with its item's key as a record."""
    return Task(
        id=row.id,
        round_id=row.round_id,
        item_id=row.item_id,
        item_key=row.item_key,
        labeler=row.labeler,
        external_id=row.external_id,
        state=_STATES[row.state],
        overlap=row.overlap,
        blind=row.blind,
    )
