"""What pages of one round or one item show: read for that one alone, a part at a time."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Annotation, Item, Label, Selection, Split, TaskState
from workbench.domain.rounds import RoundState
from workbench.storage.annotations import BRIEF, to_label
from workbench.storage.facts.moment import Moment
from workbench.storage.pool import to_item
from workbench.storage.statements import chunked
from workbench.storage.tables import annotation, item, label, round_, round_move, selection, task, task_move
from workbench.storage.tasks import to_selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A round came to a state."""

    at: datetime
    state: RoundState
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMove:
    """A task of an item came to a state."""

    at: datetime
    round_number: int
    state: TaskState
    adjudicates: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A pick of a round, with its item and what is agreed of it."""

    selection: Selection
    item: Item
    task: TaskState | None
    label: Label | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """An item was picked in a round."""

    round_number: int
    at: datetime
    selection: Selection


class VisitFacts:
    """Rounds and items, one at a time."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def moves(self, round_id: int) -> list[Move]:
        """When a round came to which state, oldest first."""
        known = sa.and_(round_move.c.round_id == round_id, round_move.c.at <= self._moment.at)
        rows = self._rows(sa.select(round_move).where(known).order_by(round_move.c.id))
        return [Move(at=row.at, state=RoundState(row.state), error=row.error) for row in rows]

    def picks(self, round_id: int, *, offset: int, limit: int) -> list[Pick]:
        """Some picks of a round, most wanted first; none before it had chosen."""
        if round_id not in self._moment.chosen_rounds():
            return []
        ordinary = sa.and_(
            task.c.item_id == selection.c.item_id,
            task.c.round_id == selection.c.round_id,
            task.c.labeler.not_like(f"%{QUEUE}"),
        )
        rows = self._rows(
            sa.select(selection, item.c.key.label("item_key"), self._state().label("task_state"))
            .join(item, item.c.id == selection.c.item_id)
            .outerjoin(task, ordinary)
            .where(selection.c.round_id == round_id)
            .order_by(selection.c.rank)
            .offset(offset)
            .limit(limit)
        )
        items = self._items(item.c.id.in_([row.item_id for row in rows]))
        labels = self._current([row.item_id for row in rows])
        return [
            Pick(
                selection=to_selection(row),
                item=items[row.item_id],
                task=TaskState(row.task_state) if row.task_state else None,
                label=labels.get(row.item_id),
            )
            for row in rows
        ]

    def states(self, round_id: int) -> dict[TaskState, int]:
        """How many tasks of a round stood in each state; without adjudication."""
        ordinary = sa.and_(task.c.round_id == round_id, task.c.labeler.not_like(f"%{QUEUE}"))
        each = sa.select(self._state().label("then")).where(ordinary).subquery()
        found = sa.select(each.c.then, sa.func.count().label("n")).where(each.c.then.is_not(None))
        return {TaskState(row.then): row.n for row in self._rows(found.group_by(each.c.then))}

    def count(self, round_id: int) -> int:
        """How many picks a round had."""
        if round_id not in self._moment.chosen_rounds():
            return 0
        found = sa.select(sa.func.count()).select_from(selection).where(selection.c.round_id == round_id)
        return int(self._moment.connection.execute(found).scalar_one())

    def item(self, key: str) -> Item | None:
        """An item that had been touched, by its key."""
        found = self._items(sa.and_(self._own(), item.c.key == key))
        return next(iter(found.values()), None)

    def items(self, keys: Iterable[str]) -> dict[str, Item]:
        """Items by their keys; those that had not been touched are missing."""
        found: dict[str, Item] = {}
        for chunk in chunked(keys):
            there = self._items(sa.and_(self._own(), item.c.key.in_(chunk)))
            found.update({each.key: each for each in there.values()})
        return found

    def picked(self, item_id: int) -> list[Picked]:
        """In which rounds an item was picked, and why."""
        rows = self._rows(
            sa.select(selection, item.c.key.label("item_key"), round_.c.number, round_.c.created_at)
            .join(item, item.c.id == selection.c.item_id)
            .join(round_, round_.c.id == selection.c.round_id)
            .where(selection.c.item_id == item_id, round_.c.id.in_(self._moment.chosen_rounds()))
            .order_by(round_.c.number)
        )
        return [
            Picked(round_number=row.number, at=row.created_at, selection=to_selection(row)) for row in rows
        ]

    def answers(self, item_ids: Iterable[int]) -> dict[int, list[Annotation]]:
        """Every version of every answer to items, oldest first; without the labeler's own record."""
        found: dict[int, list[Annotation]] = defaultdict(list)
        for chunk in chunked(item_ids):
            known = sa.and_(annotation.c.item_id.in_(chunk), annotation.c.received_at <= self._moment.at)
            for row in self._rows(sa.select(*BRIEF).where(known).order_by(annotation.c.id)):
                found[row.item_id].append(Annotation(**row._mapping))
        return dict(found)

    def labels(self, item_id: int) -> list[Label]:
        """Every revision of an item's label, oldest first."""
        known = sa.and_(label.c.item_id == item_id, label.c.created_at <= self._moment.at)
        return [to_label(row) for row in self._rows(_LABELS.where(known).order_by(label.c.revision))]

    def task_moves(self, item_id: int) -> list[TaskMove]:
        """What became of an item's tasks, oldest first."""
        rows = self._rows(
            sa.select(task_move, round_.c.number, task.c.labeler)
            .join(task, task.c.id == task_move.c.task_id)
            .join(round_, round_.c.id == task.c.round_id)
            .where(task.c.item_id == item_id, task_move.c.at <= self._moment.at)
            .order_by(task_move.c.id)
        )
        return [
            TaskMove(
                at=row.at,
                round_number=row.number,
                state=TaskState(row.state),
                adjudicates=row.labeler.endswith(QUEUE),
            )
            for row in rows
        ]

    def _current(self, item_ids: list[int]) -> dict[int, Label]:
        known = sa.and_(label.c.item_id.in_(item_ids), self._moment.labels())
        return {row.item_id: to_label(row) for row in self._rows(_LABELS.where(known))}

    def _state(self) -> sa.ColumnElement[str | None]:
        """The state of a task then; None of one that came later."""
        then = (
            sa.select(task_move.c.state)
            .where(task_move.c.task_id == task.c.id, task_move.c.at <= self._moment.at)
            .order_by(task_move.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        moved = sa.exists().where(task_move.c.task_id == task.c.id)
        # A task of before moves were kept is shown as it stands.
        return sa.func.coalesce(then, sa.case((sa.not_(moved), task.c.state)))

    def _own(self) -> sa.ColumnElement[bool]:
        """The items of the project that had been touched by then."""
        return sa.and_(item.c.project_id == self._moment.project.id, self._moment.known(item.c.created_at))

    def _items(self, condition: sa.ColumnElement[bool]) -> dict[int, Item]:
        return {row.id: self._item(row) for row in self._rows(sa.select(item).where(condition))}

    def _item(self, row: Any) -> Item:
        """An item in the split that it was in then."""
        found = to_item(row)
        taken_out_later = row.removed_at is not None and row.removed_at > self._moment.at
        return replace(found, split=Split(row.removed_from)) if taken_out_later else found

    def _rows(self, statement: sa.Select[Any]) -> list[Any]:
        return list(self._moment.connection.execute(statement))


_LABELS = sa.select(label, item.c.key.label("item_key")).join(item, item.c.id == label.c.item_id)
