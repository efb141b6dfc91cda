"""Projects, and what they are called at a labeler."""

import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.errors import ProjectProblem
from workbench.domain.records import LabelerLink, Project, TaskKind
from workbench.storage.statements import insert_missing
from workbench.storage.tables import labeler_link, project


class Projects:
    """The project table and its links to labelers."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def get(self, name: str) -> Project | None:
        """Find a project by name."""
        row = self._connection.execute(sa.select(project).where(project.c.name == name)).first()
        return None if row is None else _project(row)

    def ensure(self, name: str, *, kind: TaskKind, classes: tuple[str, ...], seed: int) -> Project:
        """Find the project, or make it.

        Raises:
            ProjectProblem: It is there with another task, other classes or another seed.
        """
        facts = {"name": name, "kind": kind, "classes": list(classes), "seed": seed}
        insert_missing(
            self._connection, project, [{**facts, "uid": secrets.token_hex(4), "created_at": self._now}]
        )
        found = self.get(name)
        assert found is not None
        _check_same(found, kind, classes)
        if found.seed != seed:
            raise ProjectProblem(
                f"The database knows project '{name}' with seed {found.seed}; workbench.toml says {seed}. "
                f"Put seed = {found.seed} back: picks and splits of the project follow from it."
            )
        return found

    def lock(self, project_id: int) -> None:
        """Make other processes wait here until this transaction ends."""
        self._connection.execute(
            sa.select(project.c.id).where(project.c.id == project_id).with_for_update()
        ).one()

    def link(self, project_id: int, labeler: str) -> LabelerLink | None:
        """Which project of ``labeler`` is ours, if one is known."""
        row = self._connection.execute(sa.select(labeler_link).where(_link(project_id, labeler))).first()
        if row is None:
            return None
        return _labeler_link(row)

    def save_link(self, project_id: int, link: LabelerLink) -> None:
        """Remember the labeler's project; another project is read from its beginning."""
        known = self.link(project_id, link.labeler)
        values: dict[str, Any] = {"labeler": link.labeler, "external_id": link.external_id, "url": link.url}
        if known is not None and known.external_id != link.external_id:
            values["cursor"] = None
        insert_missing(self._connection, labeler_link, [{"project_id": project_id, **values}])
        self._connection.execute(
            labeler_link.update().where(_link(project_id, link.labeler)).values(**values)
        )

    def move_cursor(self, project_id: int, labeler: str, cursor: datetime) -> None:
        """Remember how far the labeler has been read."""
        self._connection.execute(
            labeler_link.update().where(_link(project_id, labeler)).values(cursor=cursor)
        )


def _link(project_id: int, labeler: str) -> sa.ColumnElement[bool]:
    return sa.and_(labeler_link.c.project_id == project_id, labeler_link.c.labeler == labeler)


def _labeler_link(row: Any) -> LabelerLink:
    return LabelerLink(
        labeler=row.labeler,
        external_id=row.external_id,
        url=row.url,
        cursor=row.cursor,
        woken_at=row.woken_at,
        away_since=row.away_since,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
    )


def _project(row: Any) -> Project:
    return Project(
        id=row.id,
        name=row.name,
        uid=row.uid,
        kind=TaskKind(row.kind),
        classes=tuple(row.classes),
        seed=row.seed,
    )


def _check_same(found: Project, kind: TaskKind, classes: tuple[str, ...]) -> None:
    if found.kind is kind and found.classes == classes:
        return
    raise ProjectProblem(
        f"The database knows project '{found.name}' as {found.kind} into {', '.join(found.classes)}; "
        f"workbench.toml says {kind} into {', '.join(classes)}. Give the project another name, "
        "or put task and classes back as they were."
    )
