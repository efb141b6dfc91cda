"""The audit trail: written in bulk, read a page at a time, newest last."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.records import Event, NewEvent
from workbench.storage.statements import chunked
from workbench.storage.tables import event, round_

#: A longer word of somebody else, an error's say, is cut here.
LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are wanted; None for all.

    Attributes:
        after: Those written after the event with this id.
        before: Those written before the event with this id.
        limit: At most so many: the first ones after ``after``, the newest ones without it.
    """

    round_id: int | None = None
    kind: str | None = None
    actor: str | None = None
    since: datetime | None = None
    after: int | None = None
    before: int | None = None
    limit: int | None = None


def write_events(
    connection: sa.Connection, project_id: int, at: datetime, actor: str, events: Iterable[NewEvent]
) -> None:
    """Write events; those without an actor are by ``actor``."""
    rows = [
        {
            "project_id": project_id,
            "round_id": new.round_id,
            "at": at,
            "kind": new.kind,
            "message": new.message if len(new.message) <= LONGEST else f"{new.message[:LONGEST]} …",
            "actor": new.actor or actor,
        }
        for new in events
    ]
    for chunk in chunked(rows):
        connection.execute(event.insert(), chunk)


def read_events(
    connection: sa.Connection, project_id: int, wanted: Wanted, *, until: datetime | None = None
) -> list[Event]:
    """Read events in the order in which they were written; with ``until`` none that are newer."""
    statement = (
        sa.select(event, round_.c.number.label("round_number"))
        .outerjoin(round_, round_.c.id == event.c.round_id)
        .where(event.c.project_id == project_id, *_conditions(wanted))
    )
    if until is not None:
        statement = statement.where(event.c.at <= until)
    forward = wanted.limit is None or wanted.after is not None
    statement = statement.order_by(event.c.id if forward else event.c.id.desc()).limit(wanted.limit)
    rows = connection.execute(statement).all()
    return _events(rows if forward else rows[::-1])


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    equal = {"round_id": wanted.round_id, "kind": wanted.kind, "actor": wanted.actor}
    conditions = [event.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.since is not None:
        conditions.append(event.c.at >= wanted.since)
    if wanted.after is not None:
        conditions.append(event.c.id > wanted.after)
    if wanted.before is not None:
        conditions.append(event.c.id < wanted.before)
    return conditions


def _events(rows: Sequence[Any]) -> list[Event]:
    return [
        Event(
            id=row.id,
            at=row.at,
            kind=row.kind,
            message=row.message,
            round_number=row.round_number,
            actor=row.actor,
        )
        for row in rows
    ]
