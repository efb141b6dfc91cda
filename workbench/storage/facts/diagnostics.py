"""Findings that rounds left behind: convergence, stopping rules, forecasts, versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.storage.facts.moment import Moment
from workbench.storage.tables import diagnostic, round_


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A finding, as it was written."""

    name: str
    round_number: int | None
    content: dict[str, Any]
    at: datetime


class DiagnosticFacts:
    """Diagnostics as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self, name: str) -> list[Diagnostic]:
        """Every finding of a name, oldest first."""
        return [_diagnostic(row) for row in self._moment.connection.execute(self._select(name))]

    def newest(self, name: str) -> Diagnostic | None:
        """The newest finding of a name; None while there is none."""
        statement = self._select(name).order_by(None).order_by(diagnostic.c.id.desc()).limit(1)
        row = self._moment.connection.execute(statement).first()
        return None if row is None else _diagnostic(row)

    def _select(self, name: str) -> sa.Select[Any]:
        return (
            sa.select(diagnostic, round_.c.number)
            .outerjoin(round_, round_.c.id == diagnostic.c.round_id)
            .where(
                diagnostic.c.project_id == self._moment.project.id,
                diagnostic.c.name == name,
                diagnostic.c.created_at <= self._moment.at,
            )
            .order_by(diagnostic.c.id)
        )


def _diagnostic(row: Any) -> Diagnostic:
    return Diagnostic(name=row.name, round_number=row.number, content=dict(row.content), at=row.created_at)
