"""The projects of a database beside each other."""

from typing import Any

import sqlalchemy as sa

from workbench.domain.records import Project
from workbench.storage.facts.moment import Moment
from workbench.storage.projects import to_project
from workbench.storage.statements import chunked
from workbench.storage.tables import item, project, round_


class OtherFacts:
    """What tells projects apart, and whether they may be compared, as known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def projects(self) -> list[Project]:
        """All projects that had begun, oldest first."""
        rows = self._moment.connection.execute(
            sa.select(project).where(project.c.created_at <= self._moment.at).order_by(project.c.id)
        )
        return [to_project(row) for row in rows]

    def settings(self) -> dict[str, Any]:
        """The configuration of the newest round; empty before the first one."""
        row = self._moment.connection.execute(
            sa.select(round_.c.config)
            .where(round_.c.project_id == self._moment.project.id, round_.c.created_at <= self._moment.at)
            .order_by(round_.c.number.desc())
            .limit(1)
        ).first()
        return {} if row is None else dict(row.config)

    def contents(self, items: list[int]) -> list[str]:
        """What items hold, as hashes, in their order: the same item of two projects has the same one."""
        found: dict[int, str] = {}
        for some in chunked(items):
            rows = self._moment.connection.execute(
                sa.select(item.c.id, item.c.sha256).where(item.c.id.in_(some))
            )
            found.update((row.id, row.sha256) for row in rows)
        return [found.get(number, f"item {self._moment.project.id} {number}") for number in items]
