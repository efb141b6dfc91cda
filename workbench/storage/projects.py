"""Projects, and what they are called at a labeler."""

import secrets
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from workbench.domain.errors import ProjectProblem
from workbench.domain.records import LabelerLink, Project, TaskKind
from workbench.storage.statements import insert_missing
from workbench.storage.tables import labeler_link, project


class Absence(NamedTuple):
    """A labeler that does not answer: since when, how often it was tried, when it is tried next, and why."""

    labeler: str
    since: datetime
    attempts: int
    next_attempt_at: datetime
    last_error: str


_BACK: dict[str, Any] = {"away_since": None, "attempts": 0, "next_attempt_at": None, "last_error": None}
#: Stands for the labeler's project while none is known: a labeler can be away before it was ever reached.
_UNKNOWN = ""


class Projects:
    """The project table and its links to labelers."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def get(self, name: str) -> Project | None:
        """Find a project by name."""
        row = self._connection.execute(sa.select(project).where(project.c.name == name)).first()
        return None if row is None else to_project(row)

    def all(self) -> list[Project]:
        """Every project of the database, by name."""
        return [
            to_project(row) for row in self._connection.execute(sa.select(project).order_by(project.c.name))
        ]

    def began(self, project_id: int) -> datetime:
        """When the project was made."""
        created: datetime = self._connection.execute(
            sa.select(project.c.created_at).where(project.c.id == project_id)
        ).scalar_one()
        return created

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

    def name_key(self, project_id: int) -> bytes | None:
        """What people's made-up names follow from; None while nobody needed one."""
        found = sa.select(project.c.name_key).where(project.c.id == project_id)
        key: str | None = self._connection.execute(found).scalar_one()
        return None if key is None else bytes.fromhex(key)

    def keep_name_key(self, project_id: int, key: bytes) -> None:
        """Keep the key, unless there is one."""
        missing = sa.and_(project.c.id == project_id, project.c.name_key.is_(None))
        self._connection.execute(project.update().where(missing).values(name_key=key.hex()))

    def link(self, project_id: int, labeler: str) -> LabelerLink | None:
        """Which project of ``labeler`` is ours, if one is known."""
        row = self._row(project_id, labeler)
        return None if row is None or row.external_id == _UNKNOWN else _labeler_link(row)

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
        self._change(project_id, labeler, cursor=cursor)

    def wake(self, project_id: int) -> None:
        """Remember that something happened at the project's labelers."""
        self._connection.execute(
            labeler_link.update().where(labeler_link.c.project_id == project_id).values(woken_at=self._now)
        )

    def answered_wake(self, project_id: int, labeler: str, seen: datetime) -> None:
        """Forget a wake that was seen before reading began; one that came since then stays."""
        self._connection.execute(
            labeler_link.update()
            .where(_link(project_id, labeler), labeler_link.c.woken_at == seen)
            .values(woken_at=None)
        )

    def absence(self, project_id: int, labeler: str) -> Absence | None:
        """Say whether a labeler is away, whether or not its project was ever reached."""
        row = self._row(project_id, labeler)
        return None if row is None else _absence(row)

    def absences(self, project_id: int) -> list[Absence]:
        """Every labeler of the project that is away."""
        rows = self._connection.execute(
            sa.select(labeler_link)
            .where(labeler_link.c.project_id == project_id)
            .order_by(labeler_link.c.labeler)
        )
        return [found for row in rows if (found := _absence(row)) is not None]

    def labeler_away(
        self, project_id: int, labeler: str, *, error: str, next_attempt_at: datetime
    ) -> Absence:
        """Count one more attempt that was not answered; the first one begins the absence."""
        empty = {"labeler": labeler, "external_id": _UNKNOWN, "url": _UNKNOWN}
        insert_missing(self._connection, labeler_link, [{"project_id": project_id, **empty}])
        self._change(
            project_id,
            labeler,
            away_since=sa.func.coalesce(labeler_link.c.away_since, self._now),
            attempts=labeler_link.c.attempts + 1,
            next_attempt_at=next_attempt_at,
            last_error=error,
        )
        found = self.absence(project_id, labeler)
        assert found is not None
        return found

    def labeler_back(self, project_id: int, labeler: str) -> Absence | None:
        """End the absence and give it, for the record; None when there was none."""
        found = self.absence(project_id, labeler)
        if found is not None:
            self._change(project_id, labeler, **_BACK)
        return found

    def _row(self, project_id: int, labeler: str) -> Any:
        return self._connection.execute(sa.select(labeler_link).where(_link(project_id, labeler))).first()

    def _change(self, project_id: int, labeler: str, **values: Any) -> None:
        self._connection.execute(labeler_link.update().where(_link(project_id, labeler)).values(**values))


def _absence(row: Any) -> Absence | None:
    if row.away_since is None:
        return None
    return Absence(row.labeler, row.away_since, row.attempts, row.next_attempt_at, row.last_error)


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


def to_project(row: Any) -> Project:
    """A row as a record."""
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
