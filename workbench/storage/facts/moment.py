"""A project at a moment: what every reader of facts is given."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from workbench.domain.records import Project, Split
from workbench.domain.rounds import RoundState
from workbench.storage.tables import annotation, item, label, round_, round_move

#: A round in one of these has chosen nothing yet.
_BEFORE = (RoundState.PLANNED, RoundState.SCORED)


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

    def split(self, wanted: Split) -> sa.ColumnElement[bool]:
        """Whether an item was in a split by then: what was taken out later was still in its own."""
        taken_out_later = sa.and_(item.c.removed_at > self.at, item.c.removed_from == wanted)
        if wanted is Split.REMOVED:
            return sa.and_(
                item.c.split == wanted, sa.or_(item.c.removed_at.is_(None), item.c.removed_at <= self.at)
            )
        # Few are looked at: an item only ever leaves its split to be removed.
        return sa.and_(
            item.c.split.in_([wanted, Split.REMOVED]), sa.or_(item.c.split == wanted, taken_out_later)
        )

    def chosen_rounds(self) -> list[int]:
        """The rounds, by id, that had chosen their items by then."""

        def had_been(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
            by_then = round_move.c.at <= self.at
            return sa.exists().where(round_move.c.round_id == round_.c.id, by_then, condition)

        early = round_move.c.state.in_(_BEFORE)
        later = round_move.c.state.not_in([*_BEFORE, RoundState.FAILED, RoundState.CANCELLED])
        # Of a round of before moves were kept the beginning is not known: it was over.
        chosen = sa.or_(had_been(later), sa.not_(had_been(early)))
        rows = self.connection.execute(
            sa.select(round_.c.id).where(
                round_.c.project_id == self.project.id, round_.c.created_at <= self.at, chosen
            )
        )
        return list(rows.scalars())

    def _in_force(self, superseded: sa.ColumnElement[datetime | None]) -> sa.ColumnElement[bool]:
        return sa.or_(superseded.is_(None), superseded > self.at)
