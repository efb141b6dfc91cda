"""Pool shards, and the items that were touched."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.records import Item, LabelStatus, NewItem, PoolShard, Split, TaskState
from workbench.storage.statements import chunked, insert_missing, insert_one
from workbench.storage.tables import item, label, pool_shard, round_, task


class Pool:
    """What there is to choose from. Items themselves stay in Parquet until they are touched."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def shards(self, project_id: int) -> list[PoolShard]:
        """All shards, in the order in which they were added."""
        rows = self._connection.execute(
            sa.select(pool_shard).where(pool_shard.c.project_id == project_id).order_by(pool_shard.c.number)
        )
        return [_shard(row) for row in rows]

    def sources(self, project_id: int) -> list[str]:
        """Where the pool came from, each place once: folders and tables."""
        rows = self._connection.execute(
            sa.select(pool_shard.c.source).where(pool_shard.c.project_id == project_id).distinct()
        )
        return sorted(row.source for row in rows)

    def add_shard(self, project_id: int, *, uri: str, rows: int, sha256: str, source: str) -> PoolShard:
        """Register a shard; the same content again gives the shard that is there."""
        for known in self.shards(project_id):
            if known.sha256 == sha256:
                return known
        number = 1 + max((shard.number for shard in self.shards(project_id)), default=-1)
        values = {"number": number, "uri": uri, "rows": rows, "sha256": sha256, "source": source}
        new = insert_one(self._connection, pool_shard, project_id=project_id, created_at=self._now, **values)
        return PoolShard(
            id=new,
            number=number,
            uri=uri,
            rows=rows,
            sha256=sha256,
            source=source,
            created_at=self._now,
        )

    def touch(self, project_id: int, items: Sequence[NewItem]) -> None:
        """Make rows for items that have none yet."""
        rows = [
            {
                "project_id": project_id,
                "key": new.key,
                "pool_shard_id": new.shard_id,
                "row": new.row,
                "split": new.split,
                "payload": dict(new.payload),
                "sha256": new.sha256,
                "known_label": new.known_label,
                "created_at": self._now,
            }
            for new in items
        ]
        insert_missing(self._connection, item, rows)

    def remove(self, project_id: int, items: Sequence[NewItem]) -> None:
        """Take items out of the pool or the test split; their annotations and labels are kept."""
        self.touch(project_id, items)
        for chunk in chunked(items):
            self._connection.execute(
                item.update()
                .where(
                    item.c.project_id == project_id,
                    item.c.key.in_([gone.key for gone in chunk]),
                    item.c.split != Split.REMOVED,
                )
                .values(split=Split.REMOVED, removed_at=self._now, removed_from=item.c.split)
            )

    def by_key(self, project_id: int, keys: Iterable[str]) -> dict[str, Item]:
        """Touched items by key."""
        found: dict[str, Item] = {}
        for chunk in chunked(keys):
            where = sa.and_(item.c.project_id == project_id, item.c.key.in_(chunk))
            found.update(
                {row.key: to_item(row) for row in self._connection.execute(sa.select(item).where(where))}
            )
        return found

    def gold(self, item_ids: Iterable[int]) -> set[int]:
        """Which of these items measure the annotators: their labels are known, and are not bought."""
        found: set[int] = set()
        for chunk in chunked(item_ids):
            where = sa.and_(item.c.id.in_(chunk), item.c.split == Split.GOLD)
            found.update(self._connection.execute(sa.select(item.c.id).where(where)).scalars())
        return found

    def held_out(self, project_id: int) -> list[Item]:
        """The test items, by key."""
        rows = self._connection.execute(
            sa.select(item)
            .where(item.c.project_id == project_id, item.c.split == Split.TEST)
            .order_by(item.c.key)
        )
        return [to_item(row) for row in rows]

    def unavailable(self, project_id: int) -> set[str]:
        """Keys that must not be chosen again: held out, labeled, or still in the hands of annotators.

        An item is free again if its task was taken back; one that somebody had touched stays with the
        labeler, and so it does not go out a second time.
        """
        chosen = (
            sa.select(task.c.item_id)
            .join(round_, round_.c.id == task.c.round_id)
            .where(
                round_.c.project_id == project_id,
                task.c.state.not_in([TaskState.CANCELLED, TaskState.WITHDRAWN]),
            )
        )
        labeled = sa.select(label.c.item_id).where(
            label.c.current.is_(True), label.c.status != LabelStatus.WITHDRAWN
        )
        rows = self._connection.execute(
            sa.select(item.c.key).where(
                item.c.project_id == project_id,
                sa.or_(item.c.split != Split.POOL, item.c.id.in_(chosen), item.c.id.in_(labeled)),
            )
        )
        return set(rows.scalars())

    def taken(self, project_id: int) -> int:
        """How many keys must not be chosen again."""
        return len(self.unavailable(project_id))


def _shard(row: Any) -> PoolShard:
    return PoolShard(
        id=row.id,
        number=row.number,
        uri=row.uri,
        rows=row.rows,
        sha256=row.sha256,
        source=row.source,
        created_at=row.created_at,
    )


def to_item(row: Any) -> Item:
    """A row of the item table as a record."""
    return Item(
        id=row.id,
        key=row.key,
        split=Split(row.split),
        payload=row.payload,
        sha256=row.sha256,
        known_label=row.known_label,
    )
