"""Whether everything is in order: what would be a leak, what is open, and how much there is."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from workbench.domain.records import LabelStatus, Split
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import (
    annotation,
    event,
    item,
    label,
    metric,
    model_run,
    pool_shard,
    prediction_set,
    round_,
    selection,
)

#: The pool's files hold the rest: an item gets a row of its own when a round chooses it.
SPLITS: Final = {
    Split.POOL: "items of the pool that were ever chosen",
    Split.TEST: "held-out items",
    Split.GOLD: "gold items",
    Split.REMOVED: "removed items",
}


class Shard(NamedTuple):
    """A file of the pool."""

    number: int
    rows: int
    sha256: str


class Invalid(NamedTuple):
    """An answer that was kept, but can not be a label."""

    item: str
    annotator: str
    problem: str


class IntegrityFacts:
    """What was in order at a moment. No question grows with the pool: only touched items are looked at."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def held_out_and_chosen(self) -> int:
        """How many held-out items a round had chosen, or carried a label that a model could learn from."""
        chosen = self._moment.chosen_rounds()
        # By item, of which there are few, and not by round and item: hence the sum.
        of_round = (selection.c.round_id + 0).in_(chosen)
        taken = sa.exists().where(selection.c.item_id == item.c.id, of_round)
        labeled = sa.exists().where(
            label.c.item_id == item.c.id,
            label.c.status == LabelStatus.AGREED,
            label.c.created_at <= self._moment.at,
            sa.or_(label.c.superseded_at.is_(None), label.c.superseded_at > self._moment.at),
        )
        return self._count(item, self._items(Split.TEST), sa.or_(taken, labeled))

    def copies_across_splits(self) -> int:
        """How many held-out and gold items have an exact copy among the items that were labeled or chosen."""
        copy = item.alias()
        pool = sa.and_(
            copy.c.project_id == item.c.project_id,
            copy.c.sha256 == item.c.sha256,
            copy.c.id != item.c.id,
            sa.or_(copy.c.created_at.is_(None), copy.c.created_at <= self._moment.at),
            sa.or_(
                copy.c.split == Split.POOL,
                sa.and_(copy.c.removed_at > self._moment.at, copy.c.removed_from == Split.POOL),
            ),
        )
        measuring = sa.or_(self._items(Split.TEST), self._items(Split.GOLD))
        return self._count(item, measuring, sa.exists().where(pool))

    def counts(self) -> dict[str, int]:
        """How much there is of everything, by noun."""
        of_project = round_.c.project_id == self._moment.project.id
        at = self._moment.at
        by_round = {
            "measurements": (metric, self._moment.known(metric.c.created_at)),
            "prediction sets": (prediction_set, prediction_set.c.created_at <= at),
        }
        own = {
            "pool files": (pool_shard, pool_shard.c.created_at <= at),
            "rounds": (round_, round_.c.created_at <= at),
            "versions of annotations": (annotation, annotation.c.received_at <= at),
            "models": (model_run, model_run.c.created_at <= at),
            "events": (event, event.c.at <= at),
        }
        chosen = selection.c.round_id.in_(self._moment.chosen_rounds())
        return {
            **self._items_by_split(),
            **{
                name: self._count(table, table.c.project_id == self._moment.project.id, known)
                for name, (table, known) in own.items()
            },
            **{
                name: self._count(table, of_project, known, table.c.round_id == round_.c.id)
                for name, (table, known) in by_round.items()
            },
            "picks": self._count(selection, chosen),
            "revisions of labels": self._count(
                label,
                label.c.item_id == item.c.id,
                item.c.project_id == self._moment.project.id,
                label.c.created_at <= at,
            ),
        }

    def shards(self) -> list[Shard]:
        """The files of the pool, in the order in which they were added."""
        rows = self._moment.connection.execute(
            sa.select(pool_shard.c.number, pool_shard.c.rows, pool_shard.c.sha256)
            .where(
                pool_shard.c.project_id == self._moment.project.id, pool_shard.c.created_at <= self._moment.at
            )
            .order_by(pool_shard.c.number)
        )
        return [Shard(*row) for row in rows]

    def invalid(self) -> list[Invalid]:
        """Answers in force that can not be labels, oldest first."""
        rows = self._moment.connection.execute(
            sa.select(item.c.key, annotation.c.annotator, annotation.c.problem)
            .join(item, item.c.id == annotation.c.item_id)
            .where(
                self._moment.annotations(),
                annotation.c.problem.is_not(None),
                sa.not_(annotation.c.deleted),
            )
            .order_by(annotation.c.id)
        )
        return [Invalid(*row) for row in rows]

    def _items_by_split(self) -> dict[str, int]:
        removed_later = item.c.removed_at > self._moment.at
        split = sa.case((removed_later, item.c.removed_from), else_=item.c.split)
        rows = self._moment.connection.execute(
            sa.select(split.label("split"), sa.func.count().label("n"))
            .where(item.c.project_id == self._moment.project.id, self._moment.known(item.c.created_at))
            .group_by(split)
        )
        found = {row.split: row.n for row in rows}
        return {words: found.get(name, 0) for name, words in SPLITS.items()}

    def _items(self, split: Split) -> sa.ColumnElement[bool]:
        return sa.and_(
            item.c.project_id == self._moment.project.id,
            self._moment.known(item.c.created_at),
            self._moment.split(split),
        )

    def _count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        statement = sa.select(sa.func.count(table.c.id)).where(*where)
        return int(self._moment.connection.execute(statement).scalar_one())
