"""Schedules. Of many workers one looks and one uses a tick: each write names what it has seen."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from workbench.domain.records import Event
from workbench.domain.schedule import Schedule, ScheduleState, steady
from workbench.storage.statements import insert_missing
from workbench.storage.tables import event, labeler_link, schedule

#: Of a schedule that starts, and of a row whose faults are mended.
HEALTHY: dict[str, Any] = {"failures": 0, "retry_at": None}
INSTANT = timedelta(microseconds=1)


class Schedules:
    """The schedule table: a row for each project that a worker has seen."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def ensure(self, project_id: int) -> Schedule:
        """Find the project's row, or make one that is looked at once."""
        row = {
            "project_id": project_id,
            "state": ScheduleState.ACTIVE,
            "next_look_at": self._now,
            "updated_at": self._now,
        }
        insert_missing(self._connection, schedule, [row])
        found = self.get(project_id)
        assert found is not None
        return found

    def get(self, project_id: int) -> Schedule | None:
        """The project's row, with the newest call of its labelers; None before any worker has seen it."""
        woken = (
            sa.select(sa.func.max(labeler_link.c.woken_at))
            .where(labeler_link.c.project_id == project_id)
            .scalar_subquery()
        )
        row = self._connection.execute(
            sa.select(schedule, sa.type_coerce(woken, labeler_link.c.woken_at.type).label("woken_at")).where(
                schedule.c.project_id == project_id
            )
        ).first()
        return None if row is None else _schedule(row)

    def claim(self, seen: Schedule, until: datetime) -> bool:
        """Look at the project now; others do not before ``until``. False: somebody else was quicker."""
        # Another time than the one that was seen, or two could both find theirs.
        other = until if until != seen.next_look_at else until + INSTANT
        return self._write(seen, next_look_at=other)

    def look_at(self, project_id: int, at: datetime) -> None:
        """Look again at this time, if no earlier look is planned."""
        self._connection.execute(
            schedule.update()
            .where(schedule.c.project_id == project_id, schedule.c.next_look_at > at)
            .values(next_look_at=at)
        )

    def aim(self, seen: Schedule, tick: datetime | None) -> bool:
        """Wait for another tick than the one that was seen. False: somebody else has changed it."""
        return self._write(seen, next_fire_at=tick)

    def started(self, seen: Schedule, tick: datetime | None) -> bool:
        """Note that a round is started and wait for ``tick`` next; False: the start is somebody else's.

        Written in the transaction that plans the round: the tick, or the wish, is used up by that round.
        """
        return self._write(
            seen,
            same_wish=True,
            next_fire_at=tick,
            wanted_at=None,
            last_started_at=self._now,
            **HEALTHY,
            **({"reason": None} if seen.state is ScheduleState.ACTIVE else {}),
        )

    def failed(self, project_id: int, words: str, retry_at: datetime) -> None:
        """Note that something failed, why, and until when nothing is tried."""
        self._set(project_id, failures=schedule.c.failures + 1, retry_at=retry_at, reason=_if_active(words))

    def healed(self, project_id: int) -> None:
        """Note that what failed does not fail any more."""
        self._set(project_id, **HEALTHY, reason=_if_active(None))

    def stop(self, project_id: int, reason: str) -> None:
        """Start no further round, because an end is reached."""
        self._set(project_id, state=ScheduleState.STOPPED, reason=reason, wanted_at=None, **HEALTHY)

    def pause(self, project_id: int, reason: str) -> None:
        """Start no round until somebody says so."""
        self._set(project_id, state=ScheduleState.PAUSED, reason=reason)

    def resume(self, project_id: int) -> None:
        """Start rounds again, from now: what would have started meanwhile is not made up for."""
        self._set(
            project_id,
            state=ScheduleState.ACTIVE,
            reason=None,
            next_fire_at=None,
            next_look_at=self._now,
            **HEALTHY,
        )

    def try_again(self, project_id: int) -> None:
        """Wait no longer after what failed."""
        self._set(project_id, retry_at=None)

    def want(self, project_id: int) -> None:
        """Ask for a round out of turn; asking again before it has started is the same as once."""
        self._set(
            project_id,
            wanted_at=sa.func.coalesce(schedule.c.wanted_at, self._now),
            next_look_at=self._now,
            # Who asks for a round does not wait for what failed before.
            retry_at=None,
        )

    def last_event(self, project_id: int, *kinds: str) -> Event | None:
        """The newest event of some kinds."""
        row = self._connection.execute(
            sa.select(event)
            .where(event.c.project_id == project_id, event.c.kind.in_(kinds))
            .order_by(event.c.id.desc())
        ).first()
        return None if row is None else Event(id=row.id, at=row.at, kind=row.kind, message=row.message)

    def _write(self, seen: Schedule, *, same_wish: bool = False, **values: Any) -> bool:
        """Change the row if it still is what was seen."""
        where = [
            schedule.c.project_id == seen.project_id,
            schedule.c.state == seen.state,
            schedule.c.next_fire_at.is_not_distinct_from(seen.next_fire_at),
        ]
        if "next_look_at" in values:
            where.append(schedule.c.next_look_at == seen.next_look_at)
        if same_wish:
            where.append(schedule.c.wanted_at.is_not_distinct_from(seen.wanted_at))
        changed = self._connection.execute(
            schedule.update().where(*where).values(updated_at=steady(self._now, seen), **values)
        )
        return changed.rowcount == 1

    def _set(self, project_id: int, **values: Any) -> None:
        self._connection.execute(
            schedule.update().where(schedule.c.project_id == project_id).values(**values)
        )


def _if_active(words: str | None) -> Any:
    """The reason of an active schedule is what failed; that of another one is kept."""
    active = schedule.c.state == ScheduleState.ACTIVE
    return sa.case((active, sa.literal(words, sa.Text())), else_=schedule.c.reason)


def _schedule(row: Any) -> Schedule:
    return Schedule(
        project_id=row.project_id,
        state=ScheduleState(row.state),
        reason=row.reason,
        next_fire_at=row.next_fire_at,
        next_look_at=row.next_look_at,
        wanted_at=row.wanted_at,
        last_started_at=row.last_started_at,
        failures=row.failures,
        retry_at=row.retry_at,
        updated_at=row.updated_at,
        woken_at=row.woken_at,
    )
