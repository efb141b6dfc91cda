"""What is still asked of annotators: missing answers, gold items, conflicts that somebody has to rule on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.budget import Promise
from workbench.domain.consensus import usable
from workbench.domain.records import Annotation, Item, LabelStatus, Reason, Split, Task, TaskState
from workbench.domain.rounds import RoundState
from workbench.storage.annotations import Annotations
from workbench.storage.moves import note_new_tasks, note_tasks
from workbench.storage.pool import to_item
from workbench.storage.statements import insert_missing
from workbench.storage.tables import annotation, item, label, round_, selection, task
from workbench.storage.tasks import to_task

WAITING = (TaskState.PENDING, TaskState.OPEN, TaskState.INVALID)
_TASK = (
    sa.select(task, item.c.key.label("item_key"))
    .join(item, item.c.id == task.c.item_id)
    .join(round_, round_.c.id == task.c.round_id)
)


class GoldItem(NamedTuple):
    """An item whose label is known, and how often it was mixed among the tasks."""

    item: Item
    used: int


class Wanted:
    """Tasks seen as answers that are still wanted."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def overlap_of(self, round_id: int) -> int | None:
        """How many people answer each task of a round, as the configuration said when it was planned."""
        config = self._connection.execute(
            sa.select(round_.c.config).where(round_.c.id == round_id)
        ).scalar_one()
        overlap = config.get("labeler", {}).get("overlap")
        return int(overlap) if overlap is not None else None

    def promised(self, project_id: int, overlap: int) -> Promise:
        """What the answers that are still missing may come to: the promised part of the budget.

        Tasks of a round that was closed early count too: somebody may still answer them.
        """
        agreed = sa.exists().where(
            label.c.item_id == task.c.item_id,
            label.c.current.is_(True),
            label.c.status == LabelStatus.AGREED,
        )
        rows = self._connection.execute(
            sa.select(
                task.c.id,
                task.c.item_id,
                task.c.overlap,
                sa.and_(item.c.split != Split.GOLD, sa.not_(agreed)).label("buys"),
            )
            .join(item, item.c.id == task.c.item_id)
            .join(round_, round_.c.id == task.c.round_id)
            .where(round_.c.project_id == project_id, task.c.state.in_(WAITING))
        ).all()
        several = {row.item_id for row in rows if (row.overlap or overlap) > 1}
        given = self._given(several)
        missing = (max(1, (row.overlap or overlap) - given.get(row.id, 0)) for row in rows)
        return Promise(len({row.item_id for row in rows if row.buys}), sum(missing))

    def _given(self, item_ids: Iterable[int]) -> dict[int, int]:
        """How many people have answered each task of some items."""
        found = Annotations(self._connection, self._now).brief_of_items(item_ids)
        by_task: dict[int, list[Annotation]] = {}
        for versions in found.values():
            for version in versions:
                by_task.setdefault(version.task_id, []).append(version)
        return {task_id: len(usable(versions)) for task_id, versions in by_task.items()}

    def ask(self, overlaps: Mapping[int, int | None], states: Mapping[int, TaskState]) -> None:
        """Write how many opinions tasks should have, and where they stand because of it."""
        for task_id, wanted in overlaps.items():
            note_tasks(self._connection, self._now, [task_id], states[task_id])
            self._connection.execute(
                task.update().where(task.c.id == task_id).values(overlap=wanted, state=states[task_id])
            )

    def gold(self, project_id: int) -> list[GoldItem]:
        """The items whose label is known, least used first, then by key."""
        used = sa.func.count(selection.c.id)
        rows = self._connection.execute(
            sa.select(item, used.label("used"))
            .outerjoin(
                selection, sa.and_(selection.c.item_id == item.c.id, selection.c.reason == Reason.GOLD)
            )
            .where(item.c.project_id == project_id, item.c.split == Split.GOLD)
            .group_by(item.c.id)
            .order_by(used, item.c.key)
        )
        return [GoldItem(to_item(row), int(row.used)) for row in rows]

    def left_over(self, project_id: int) -> list[Task]:
        """Tasks of closed rounds that nobody has answered or skipped."""
        touched = sa.exists().where(annotation.c.item_id == task.c.item_id, annotation.c.task_id == task.c.id)
        rows = self._connection.execute(
            _TASK.where(
                round_.c.project_id == project_id,
                round_.c.state == RoundState.CLOSED,
                task.c.state.in_([TaskState.PENDING, TaskState.OPEN]),
                task.c.labeler.not_like(f"%{QUEUE}"),
                sa.not_(touched),
            ).order_by(task.c.id)
        )
        return [to_task(row) for row in rows]

    def half_answered(self, project_id: int) -> list[Task]:
        """Tasks of closed rounds that are served to more people and have answers.

        What somebody declined or left empty is among them: it is served to others all the same.
        """
        touched = sa.exists().where(annotation.c.item_id == task.c.item_id, annotation.c.task_id == task.c.id)
        rows = self._connection.execute(
            _TASK.where(
                round_.c.project_id == project_id,
                round_.c.state == RoundState.CLOSED,
                task.c.state.in_([TaskState.OPEN, TaskState.SKIPPED, TaskState.INVALID]),
                task.c.external_id.is_not(None),
                task.c.labeler.not_like(f"%{QUEUE}"),
                touched,
            ).order_by(task.c.id)
        )
        return [to_task(row) for row in rows]

    def answered_tasks(self, project_id: int) -> list[Task]:
        """The newest task of every pool item that was answered and waits for nothing, oldest first.

        It may have been skipped by somebody, or deleted at the labeler, after it had answers.
        """
        rows = self._connection.execute(
            _TASK.where(
                round_.c.project_id == project_id,
                item.c.split == Split.POOL,
                task.c.labeler.not_like(f"%{QUEUE}"),
                task.c.item_id.not_in(self._items_in(WAITING)),
                task.c.state.in_([TaskState.LABELED, TaskState.SKIPPED, TaskState.GONE]),
            ).order_by(task.c.id)
        )
        return list({row.item_id: to_task(row) for row in rows}.values())

    def in_queue(self, project_id: int, labeler: str) -> list[Task]:
        """The tasks of an adjudication queue, oldest first."""
        rows = self._connection.execute(
            _TASK.where(round_.c.project_id == project_id, task.c.labeler == labeler).order_by(task.c.id)
        )
        return [to_task(row) for row in rows]

    def queue(self, labeler: str, tasks: Sequence[Task]) -> None:
        """Put the items of these tasks into an adjudication queue, once a round; or again, if taken back."""
        rows: list[dict[str, Any]] = [
            {
                "round_id": found.round_id,
                "item_id": found.item_id,
                "labeler": labeler,
                "external_id": None,
                "state": TaskState.PENDING,
                "overlap": 1,
            }
            for found in tasks
        ]
        insert_missing(self._connection, task, rows)
        for row in rows:
            taken_back = sa.and_(
                task.c.round_id == row["round_id"],
                task.c.item_id == row["item_id"],
                task.c.labeler == labeler,
                task.c.state.in_([TaskState.CANCELLED, TaskState.WITHDRAWN]),
            )
            again = self._connection.execute(sa.select(task.c.id).where(taken_back)).scalars().all()
            note_tasks(self._connection, self._now, again, TaskState.PENDING)
            self._connection.execute(
                task.update().where(taken_back).values(state=TaskState.PENDING, external_id=None)
            )
        for round_id in {found.round_id for found in tasks}:
            note_new_tasks(self._connection, self._now, round_id)

    def _items_in(self, states: Sequence[TaskState]) -> sa.Select[Any]:
        return sa.select(task.c.item_id).where(task.c.state.in_(states))
