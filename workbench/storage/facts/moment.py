"""A project at a moment: what every reader of facts is given."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from workbench.domain.records import Project
from workbench.storage.tables import annotation, item, label


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A project as it was known at a time. Live reports read the present through the same queries.

    Attributes:
        at: Nothing that came to be known later is seen.
    """

    connection: sa.Connection
    project: Project
    at: datetime

    def known(self, column: sa.ColumnElement[datetime | None]) -> sa.ColumnElement[bool]:
        """Whether something had been written by then. Rows older than that column count as written."""
        return sa.or_(column.is_(None), column <= self.at)

    def annotations(self) -> sa.ColumnElement[bool]:
        """The newest version, by then, of each annotation of the project; deletions included."""
        return sa.and_(
            annotation.c.project_id == self.project.id,
            annotation.c.received_at <= self.at,
            self._in_force(annotation.c.superseded_at),
        )

    def labels(self) -> sa.ColumnElement[bool]:
        """The revision in force, by then, of each label; to be joined with ``item``."""
        return sa.and_(
            item.c.project_id == self.project.id,
            label.c.created_at <= self.at,
            self._in_force(label.c.superseded_at),
        )

    def _in_force(self, superseded: sa.ColumnElement[datetime | None]) -> sa.ColumnElement[bool]:
        return sa.or_(superseded.is_(None), superseded > self.at)
