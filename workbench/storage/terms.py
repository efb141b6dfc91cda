"""The terms of a project's budget: what the configuration says, and what people have changed since."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from workbench.storage.statements import insert_one
from workbench.storage.tables import terms

FILE, PERSON = "file", "person"


class Changed(NamedTuple):
    """Who changed a term last, and when."""

    actor: str
    at: datetime


class Terms:
    """Append-only: each change is a row, so that an old report knows what held then."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str) -> None:
        self._connection = connection
        self._now = now
        self._actor = actor

    def note_file(self, project_id: int, content: Mapping[str, Any]) -> None:
        """Keep what the configuration says now, if it is not what it said last."""
        if self._last(project_id, FILE) != dict(content):
            self._add(project_id, FILE, content)

    def change(self, project_id: int, changes: Mapping[str, Any], *, back: Collection[str] = ()) -> None:
        """Keep what a person says instead of the configuration; None for no limit.

        The caller has locked the project: what others have changed stays.

        Args:
            back: These are given back to the configuration.
        """
        held = {**self.changes(project_id), **changes}
        self._add(project_id, PERSON, {key: value for key, value in held.items() if key not in back})

    def file(self, project_id: int) -> dict[str, Any] | None:
        """What the configuration said last; None before it was ever noted."""
        return self._last(project_id, FILE)

    def changes(self, project_id: int) -> dict[str, Any]:
        """What people say instead of the configuration, now."""
        return self._last(project_id, PERSON) or {}

    def changed_by(self, project_id: int) -> dict[str, Changed]:
        """Who has changed each of them last, of those that people have changed."""
        rows = self._connection.execute(
            sa.select(terms.c.actor, terms.c.at, terms.c.content)
            .where(terms.c.project_id == project_id, terms.c.source == PERSON)
            .order_by(terms.c.id)
        )
        found: dict[str, Changed] = {}
        before: dict[str, Any] = {}
        for row in rows:
            for key in row.content.keys() | before.keys():
                if key not in row.content:
                    found.pop(key, None)
                elif key not in before or row.content[key] != before[key]:
                    found[key] = Changed(row.actor, row.at)
            before = row.content
        return found

    def _add(self, project_id: int, source: str, content: Mapping[str, Any]) -> None:
        facts = {"project_id": project_id, "at": self._now, "actor": self._actor}
        insert_one(self._connection, terms, **facts, source=source, content=dict(content))

    def _last(self, project_id: int, source: str) -> dict[str, Any] | None:
        return terms_at(self._connection, project_id, source, None)


def terms_at(
    connection: sa.Connection, project_id: int, source: str, as_of: datetime | None
) -> dict[str, Any] | None:
    """What a source said at a moment; now if None. None before it said anything."""
    statement = sa.select(terms.c.content).where(terms.c.project_id == project_id, terms.c.source == source)
    if as_of is not None:
        statement = statement.where(terms.c.at <= as_of)
    row = connection.execute(statement.order_by(terms.c.id.desc()).limit(1)).first()
    return None if row is None else dict(row.content)
