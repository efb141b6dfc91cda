"""What has been labeled of which class and which source."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from workbench.domain.records import LabelStatus, Split
from workbench.storage.facts.moment import Moment
from workbench.storage.maps import unpack_map
from workbench.storage.statements import chunked
from workbench.storage.tables import item, label, pool_map, pool_shard, selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where items came from.

    Attributes:
        rows: How many came to be chosen from: held-out and gold items are none of them.
        labels: How many of them have an agreed label that may be learnt from.
        shards: Ids of the pool's parts that came from it.
    """

    name: str
    rows: int
    labels: int
    shards: frozenset[int]


class CoverageFacts:
    """Labels by class and source, as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._labels: dict[tuple[str, int], int] | None = None

    def by_class(self) -> dict[str, int]:
        """How many labels there are to learn from of each class; held-out and gold items are not counted."""
        found: dict[str, int] = defaultdict(int)
        for (value, _), n in self._counted().items():
            found[value] += n
        return dict(found)

    def by_source(self) -> list[Source]:
        """Every source, in the order in which they came."""
        labels: dict[int, int] = defaultdict(int)
        for (_, shard), n in self._counted().items():
            labels[shard] += n
        rows = self._moment.connection.execute(
            sa.select(pool_shard.c.id, pool_shard.c.source, pool_shard.c.rows)
            .where(
                pool_shard.c.project_id == self._moment.project.id,
                pool_shard.c.created_at <= self._moment.at,
            )
            .order_by(pool_shard.c.number)
        )
        parts: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            parts[row.source].append(row)
        apart = self._apart()
        return [
            Source(
                name=name,
                rows=sum(int(row.rows) - apart.get(row.id, 0) for row in found),
                labels=sum(labels[row.id] for row in found),
                shards=frozenset(row.id for row in found),
            )
            for name, found in parts.items()
        ]

    def rows_since(self, moment: datetime) -> int:
        """How many rows came into the pool after a moment, held-out ones included."""
        came = sa.select(sa.func.sum(pool_shard.c.rows)).where(
            pool_shard.c.project_id == self._moment.project.id,
            pool_shard.c.created_at > moment,
            pool_shard.c.created_at <= self._moment.at,
        )
        return int(self._moment.connection.execute(came).scalar() or 0)

    def held_out_by_class(self) -> dict[str, int]:
        """How many held-out items of each class there are."""
        rows = self._moment.connection.execute(
            sa.select(item.c.known_label, sa.func.count().label("n"))
            .where(
                item.c.project_id == self._moment.project.id,
                self._moment.known(item.c.created_at),
                item.c.known_label.is_not(None),
                self._moment.split(Split.TEST),
            )
            .group_by(item.c.known_label)
        )
        return {row.known_label: row.n for row in rows}

    def shards_of(self, items: Iterable[int]) -> dict[int, int]:
        """Which part of the pool items lie in, by their ids."""
        found: dict[int, int] = {}
        for chunk in chunked(items):
            rows = self._moment.connection.execute(
                sa.select(item.c.id, item.c.pool_shard_id).where(item.c.id.in_(chunk))
            )
            found.update({row.id: row.pool_shard_id for row in rows})
        return found

    def map(self) -> NDArray[np.float32] | None:
        """Where a sample of the pool lies on its newest map, [S, 2]; None while there is none."""
        content = self._moment.connection.execute(
            sa.select(pool_map.c.content)
            .where(pool_map.c.project_id == self._moment.project.id, pool_map.c.created_at <= self._moment.at)
            .order_by(pool_map.c.id.desc())
            .limit(1)
        ).scalar()
        return None if content is None else unpack_map(content).sample_S_2

    def labeled_places(self, most: int) -> NDArray[np.float64]:
        """Where labeled items lie on that map, [L, 2]; of many every k-th, by the order of their choice."""
        every = 1 + sum(self._counted().values()) // most
        rows = self._moment.connection.execute(
            sa.select(selection.c.x, selection.c.y)
            .join(item, item.c.id == selection.c.item_id)
            .join(label, label.c.item_id == item.c.id)
            .where(
                selection.c.id % every == 0,
                selection.c.x.is_not(None),
                selection.c.round_id.in_(self._moment.chosen_rounds()),
                self._moment.labels(),
                label.c.status == LabelStatus.AGREED,
                self._moment.split(Split.POOL),
            )
            .order_by(selection.c.id)
        )
        return np.array([tuple(row) for row in rows], float).reshape(-1, 2)

    def _apart(self) -> dict[int, int]:
        """How many held-out and gold items came in each part of the pool."""
        rows = self._moment.connection.execute(
            sa.select(item.c.pool_shard_id, sa.func.count().label("n"))
            .where(
                item.c.project_id == self._moment.project.id,
                self._moment.known(item.c.created_at),
                sa.or_(self._moment.split(Split.TEST), self._moment.split(Split.GOLD)),
            )
            .group_by(item.c.pool_shard_id)
        )
        return {row.pool_shard_id: row.n for row in rows}

    def _counted(self) -> dict[tuple[str, int], int]:
        """Labels to learn from by class and part of the pool: asked once."""
        if self._labels is None:
            rows = self._moment.connection.execute(
                sa.select(label.c.value, item.c.pool_shard_id, sa.func.count().label("n"))
                .join(item, item.c.id == label.c.item_id)
                .where(
                    self._moment.labels(),
                    label.c.status == LabelStatus.AGREED,
                    self._moment.split(Split.POOL),
                )
                .group_by(label.c.value, item.c.pool_shard_id)
            )
            self._labels = {(row.value, row.pool_shard_id): row.n for row in rows}
        return self._labels
