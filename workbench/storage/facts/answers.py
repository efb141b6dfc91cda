"""What people said."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE
from workbench.domain.records import Annotation, Split
from workbench.storage.annotations import BRIEF
from workbench.storage.facts.moment import Moment
from workbench.storage.facts.packing import (
    Bools,
    Coded,
    Floats,
    Ints,
    coded,
    fixed,
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
from workbench.storage.tables import annotation, item, round_, selection, task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """The newest version of each of N annotations, oldest first; deletions included.

    Attributes:
        people: Everybody who gave one, by name; ``people_N`` says who, by the place in it.
        labels: Every answer that occurs; an empty one where there is none.
        moments_N: When each was given, in microseconds since 1970.
        seconds_N: NaN where nobody counted.
        invalid_N: Kept, but can not be a label.
        rulings_N: Made in the adjudication queue.
    """

    people: tuple[str, ...]
    labels: tuple[str, ...]
    items_N: Ints
    tasks_N: Ints
    people_N: Ints
    labels_N: Ints
    moments_N: Ints
    seconds_N: Floats
    skipped_N: Bools
    deleted_N: Bools
    invalid_N: Bools
    rulings_N: Bools

    @property
    def opinions_N(self) -> Bools:
        """Which count as opinions on what a label is; of one person on one item the newest does."""
        opinions: Bools = (
            ~(self.skipped_N | self.deleted_N | self.invalid_N | self.rulings_N) & self.labeled_N
        )
        return opinions

    @property
    def labeled_N(self) -> Bools:
        """Which say a label."""
        labeled: Bools = self.labels_N != (self.labels.index("") if "" in self.labels else -1)
        return labeled


class Shown(NamedTuple):
    """T tasks for which the model had an answer: which one, and whether it was kept from annotators."""

    tasks_T: Ints
    predicted_T: Coded
    blind_T: Bools


class AnswerFacts:
    """Annotations as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[Annotation]:
        """The newest version of every annotation, oldest first; deletions included."""
        rows = self._moment.connection.execute(
            sa.select(*BRIEF).where(self._moment.annotations()).order_by(annotation.c.id)
        )
        return [Annotation(**row) for row in rows.mappings()]

    def of_items(self, item_ids: Iterable[int]) -> dict[int, list[Annotation]]:
        """The newest version of every annotation of some items, by item; deletions included."""
        found: dict[int, list[Annotation]] = {}
        for chunk in chunked(item_ids):
            rows = self._moment.connection.execute(
                sa.select(*BRIEF)
                .where(annotation.c.item_id.in_(chunk), self._moment.annotations())
                .order_by(annotation.c.id)
            )
            for row in rows.mappings():
                found.setdefault(row["item_id"], []).append(Annotation(**row))
        return found

    @cached_property
    def given(self) -> Given:
        """The newest version of every annotation, in one reading and without a row for each."""
        connection = self._moment.connection
        columns = {
            "ids": packed(connection, annotation.c.id),
            "items": packed(connection, annotation.c.item_id),
            "tasks": packed(connection, annotation.c.task_id),
            "people": packed_words(connection, annotation.c.annotator),
            "labels": packed_words(connection, annotation.c.label),
            "moments": packed_times(connection, annotation.c.created_at),
            "seconds": packed_floats(connection, annotation.c.seconds),
            "flags": packed(connection, _flags()),
        }
        row = connection.execute(
            sa.select(*(column.label(name) for name, column in columns.items())).where(
                self._moment.annotations()
            )
        ).one()
        ids = ints(row.ids)
        people, labels = unpacked_words(row.people, len(ids)), unpacked_words(row.labels, len(ids))
        # In which order a database joins them is its own affair, and may be another one next time.
        order: Ints = np.argsort(ids)
        people = people or self._each(annotation.c.annotator, ids)
        labels = labels or self._each(annotation.c.label, ids)
        flags_N = ints(row.flags)[order]
        return Given(
            people=people.words,
            labels=labels.words,
            items_N=ints(row.items)[order],
            tasks_N=ints(row.tasks)[order],
            people_N=people.codes_N[order],
            labels_N=labels.codes_N[order],
            moments_N=times(connection, row.moments)[order],
            seconds_N=floats(row.seconds)[order],
            skipped_N=(flags_N & 1).astype(bool),
            deleted_N=(flags_N & 2).astype(bool),
            invalid_N=(flags_N & 4).astype(bool),
            rulings_N=(flags_N & 8).astype(bool),
        )

    def _each(self, column: sa.ColumnElement[Any], ids: Ints) -> Coded:
        """Words that can not be told apart when they are joined, read one by one."""
        rows = self._moment.connection.execute(
            sa.select(annotation.c.id, column).where(self._moment.annotations())
        )
        found = {row[0]: row[1] or "" for row in rows}
        return coded([found[number] for number in ids.tolist()])

    def gold(self) -> dict[int, str]:
        """The known labels of items that measured annotators then, by item."""
        rows = self._moment.connection.execute(
            sa.select(item.c.id, item.c.known_label).where(
                item.c.project_id == self._moment.project.id,
                self._moment.known(item.c.created_at),
                self._moment.split(Split.GOLD),
                item.c.known_label.is_not(None),
            )
        )
        return {row.id: row.known_label for row in rows}

    def shown(self) -> Shown | None:
        """Tasks of rounds that show what the model thinks, with that; None where no task was blind."""
        connection, rounds = self._moment.connection, self._rounds_that_show()
        there = sa.and_(task.c.round_id.in_(rounds), sa.not_(task.c.labeler.endswith(fixed(QUEUE))))
        if connection.execute(sa.select(task.c.id).where(there, task.c.blind).limit(1)).first() is None:
            return None
        both = sa.and_(selection.c.round_id == task.c.round_id, selection.c.item_id == task.c.item_id)
        of_tasks = sa.and_(there, selection.c.predicted.is_not(None))
        row = connection.execute(
            sa.select(
                packed(connection, task.c.id).label("tasks"),
                packed_words(connection, selection.c.predicted).label("predicted"),
                packed(connection, sa.cast(task.c.blind, sa.Integer)).label("blind"),
            )
            .join(selection, both)
            .where(of_tasks)
        ).one()
        tasks_T = ints(row.tasks)
        predicted_T = unpacked_words(row.predicted, len(tasks_T))
        if predicted_T is None:
            pairs = connection.execute(
                sa.select(task.c.id, selection.c.predicted).join(selection, both).where(of_tasks)
            )
            found = {pair.id: pair.predicted for pair in pairs}
            predicted_T = coded([found[number] for number in tasks_T.tolist()])
        return Shown(tasks_T, predicted_T, ints(row.blind).astype(bool))

    def _rounds_that_show(self) -> list[int]:
        chosen = round_.c.id.in_(self._moment.chosen_rounds())
        rows = self._moment.connection.execute(sa.select(round_.c.id, round_.c.config).where(chosen))
        return [row.id for row in rows if row.config.get("labeler", {}).get("show_predictions", True)]


def _flags() -> sa.ColumnElement[int]:
    """What an annotation is, as one number."""
    return (
        sa.cast(annotation.c.skipped, sa.Integer)
        + fixed(2) * sa.cast(annotation.c.deleted, sa.Integer)
        + fixed(4) * sa.cast(annotation.c.problem.is_not(None), sa.Integer)
        + fixed(8) * sa.cast(annotation.c.labeler.endswith(fixed(QUEUE)), sa.Integer)
    )
