"""What the answers amount to."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Label, LabelStatus, TaskState
from workbench.storage.annotations import to_label
from workbench.storage.facts.moment import Moment
from workbench.storage.facts.packing import (
    Coded,
    Floats,
    Ints,
    coded,
    floats,
    ints,
    packed,
    packed_floats,
    packed_times,
    packed_words,
    times,
    unpacked_words,
)
from workbench.storage.statements import chunked
from workbench.storage.tables import item, label, round_, selection, task, task_move

STATUSES = tuple(LabelStatus)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """The label in force of each of L items, by item.

    Attributes:
        values: Every label that occurs, an empty one where there is none; ``values_L`` is the place in it.
        methods: How they were decided; ``methods_L`` likewise.
        statuses_L: The place in ``STATUSES``.
        answers_L: On how many answers each rests.
    """

    values: tuple[str, ...]
    methods: tuple[str, ...]
    items_L: Ints
    values_L: Ints
    methods_L: Ints
    statuses_L: Ints
    confidences_L: Floats
    answers_L: Ints


class Picked(NamedTuple):
    """What a model thought of items when a round chose them, by item."""

    items_P: Ints
    confidences_P: Floats


class Ruling(NamedTuple):
    """An item in the adjudication queue, and where it stood."""

    item_id: int
    item: str
    round_number: int
    state: TaskState


class LabelFacts:
    """Labels as they were in force at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[Label]:
        """Every label, by item key."""
        return self._labels(self._moment.labels(), item.c.key)

    def of_items(self, item_ids: Iterable[int]) -> dict[int, Label]:
        """The labels of some items."""
        found: dict[int, Label] = {}
        for chunk in chunked(item_ids):
            where = sa.and_(self._moment.labels(), label.c.item_id.in_(chunk))
            found.update({one.item_id: one for one in self._labels(where, item.c.id)})
        return found

    @cached_property
    def standing(self) -> Standing:
        """Every label in force, in one reading and without a row for each."""
        connection = self._moment.connection
        status = sa.case({str(status): place for place, status in enumerate(STATUSES)}, value=label.c.status)
        columns = {
            "items": packed(connection, label.c.item_id),
            "values": packed_words(connection, label.c.value),
            "methods": packed_words(connection, label.c.method),
            "statuses": packed(connection, status),
            "confidences": packed_floats(connection, label.c.confidence),
            "answers": packed(connection, sa.func.json_array_length(label.c.annotations)),
        }
        row = connection.execute(
            sa.select(*(column.label(name) for name, column in columns.items()))
            .join(item, item.c.id == label.c.item_id)
            .where(self._moment.labels())
        ).one()
        items = ints(row.items)
        values = unpacked_words(row.values, len(items)) or self._each(label.c.value, items)
        methods = unpacked_words(row.methods, len(items)) or self._each(label.c.method, items)
        order: Ints = np.argsort(items)
        return Standing(
            values=values.words,
            methods=methods.words,
            items_L=items[order],
            values_L=values.codes_N[order],
            methods_L=methods.codes_N[order],
            statuses_L=ints(row.statuses)[order],
            confidences_L=floats(row.confidences)[order],
            answers_L=ints(row.answers)[order],
        )

    def doubtful(self, most: int) -> list[Label]:
        """The labels in most doubt, without those that were taken back; by item key where they are even."""
        where = sa.and_(
            self._moment.labels(), label.c.status != LabelStatus.WITHDRAWN, label.c.confidence < 1
        )
        key = item.c.key if self._moment.connection.dialect.name == "sqlite" else item.c.key.collate("C")
        return self._labels(where, label.c.confidence, key, most=most)

    def unsettled(self, most: int) -> list[Label]:
        """Items whose annotators disagree, or whose label was taken back, by item key."""
        where = sa.and_(self._moment.labels(), label.c.status != LabelStatus.AGREED)
        key = item.c.key if self._moment.connection.dialect.name == "sqlite" else item.c.key.collate("C")
        return self._labels(where, key, most=most)

    def corrected_at(self) -> Ints:
        """When labels came to say something else than before, in microseconds since 1970, sorted."""
        connection, before = self._moment.connection, label.alias()
        same = sa.and_(before.c.value.is_not_distinct_from(label.c.value), before.c.status == label.c.status)
        row = connection.execute(
            sa.select(packed_times(connection, label.c.created_at).label("times"))
            .join(item, item.c.id == label.c.item_id)
            .join(
                before,
                sa.and_(
                    before.c.item_id == label.c.item_id,
                    before.c.revision == label.c.revision - 1,
                    sa.not_(same),
                ),
            )
            .where(
                item.c.project_id == self._moment.project.id,
                label.c.created_at <= self._moment.at,
                label.c.revision > 1,
            )
        ).one()
        return np.sort(times(connection, row.times))

    def picked(self) -> Picked:
        """How sure the model was of items that rounds had chosen by then; of an item's last pick."""
        connection = self._moment.connection
        row = connection.execute(
            sa.select(
                packed(connection, selection.c.id).label("ids"),
                packed(connection, selection.c.item_id).label("items"),
                packed_floats(connection, selection.c.confidence).label("confidences"),
            ).where(
                selection.c.round_id.in_(self._moment.chosen_rounds()), selection.c.confidence.is_not(None)
            )
        ).one()
        order = np.argsort(ints(row.ids))[::-1]
        items, confidences = ints(row.items)[order], floats(row.confidences)[order]
        found, first = np.unique(items, return_index=True)
        return Picked(found, confidences[first])

    def queue(self) -> list[Ruling]:
        """The adjudication queue, oldest first."""
        earlier, moved = task_move.alias(), task_move.alias()
        newest = (
            sa.select(sa.func.max(earlier.c.id))
            .where(earlier.c.task_id == task.c.id, earlier.c.at <= self._moment.at)
            .correlate(task)
            .scalar_subquery()
        )
        known = sa.exists().where(task_move.c.task_id == task.c.id)
        rows = self._moment.connection.execute(
            sa.select(
                task.c.item_id,
                item.c.key,
                round_.c.number,
                # A task of before moves were kept is shown as it stands.
                sa.func.coalesce(moved.c.state, task.c.state).label("state"),
            )
            .join(item, item.c.id == task.c.item_id)
            .join(round_, round_.c.id == task.c.round_id)
            .outerjoin(moved, moved.c.id == newest)
            .where(
                round_.c.project_id == self._moment.project.id,
                round_.c.created_at <= self._moment.at,
                task.c.labeler.endswith(QUEUE),
                sa.or_(moved.c.id.is_not(None), sa.not_(known)),
            )
            .order_by(task.c.id)
        )
        return [Ruling(row.item_id, row.key, row.number, TaskState(row.state)) for row in rows]

    def _labels(
        self, where: sa.ColumnElement[bool], *order: sa.ColumnElement[Any], most: int | None = None
    ) -> list[Label]:
        rows = self._moment.connection.execute(
            sa.select(label, item.c.key.label("item_key"))
            .join(item, item.c.id == label.c.item_id)
            .where(where)
            .order_by(*order)
            .limit(most)
        )
        return [to_label(row) for row in rows]

    def _each(self, column: sa.ColumnElement[Any], items: Ints) -> Coded:
        """Words that can not be told apart when they are joined, read one by one."""
        rows = self._moment.connection.execute(
            sa.select(label.c.item_id, column)
            .join(item, item.c.id == label.c.item_id)
            .where(self._moment.labels())
        )
        found = {row[0]: row[1] or "" for row in rows}
        return coded([found[number] for number in items.tolist()])
