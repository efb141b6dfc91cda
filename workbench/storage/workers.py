"""Who is at work: every worker says that it lives and what it does. For people to see; leases decide."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from workbench.domain.workers import Worker
from workbench.storage.statements import insert_missing
from workbench.storage.tables import worker

#: A worker that nobody has heard of for so long is not coming back.
FORGOTTEN_AFTER = timedelta(days=1)


class Workers:
    """The worker table."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def seen(self, name: str, doing: str | None) -> None:
        """Say that a worker lives and what it does; those that nobody has heard of for a day are removed."""
        row = {"name": name, "started_at": self._now, "seen_at": self._now, "doing": doing}
        insert_missing(self._connection, worker, [row])
        self._connection.execute(
            worker.update().where(worker.c.name == name).values(seen_at=self._now, doing=doing)
        )
        self._connection.execute(worker.delete().where(worker.c.seen_at < self._now - FORGOTTEN_AFTER))

    def gone(self, name: str) -> None:
        """Take a worker off the list, because it ends."""
        self._connection.execute(worker.delete().where(worker.c.name == name))

    def all(self) -> list[Worker]:
        """Every worker, the oldest first."""
        rows = self._connection.execute(sa.select(worker).order_by(worker.c.started_at, worker.c.name))
        return [_worker(row, self._now) for row in rows]


def _worker(row: Any, now: datetime) -> Worker:
    return Worker(
        name=row.name,
        started_at=row.started_at,
        seen_at=row.seen_at,
        doing=row.doing,
        # A clock that went back makes nobody younger than now.
        silent_seconds=max(0.0, (now - row.seen_at).total_seconds()),
    )
