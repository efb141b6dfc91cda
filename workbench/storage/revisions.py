"""Which revision a database is at, and how to bring it to the newest. The schema is made here alone.

Every command asks for the revision, and few change it: alembic, which is slow to load, waits for those.
"""

from importlib import import_module, resources
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem
from workbench.storage.engine import file_of

if TYPE_CHECKING:
    from alembic.config import Config

#: Where alembic writes which revision a database is at.
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


class RevisionStatus(NamedTuple):
    """The database's revision (None when empty) and the one this version needs."""

    found: str | None
    needed: str
    known: bool

    @property
    def current(self) -> bool:
        """Whether the database can be used as it is."""
        return self.found == self.needed


def status(engine: sa.Engine) -> RevisionStatus:
    """Compare the database with the migrations that come with this version."""
    known = _revisions()
    with engine.connect() as connection:
        there = sa.inspect(connection).has_table(_VERSION.name)
        found = connection.execute(sa.select(_VERSION.c.version_num)).scalar() if there else None
    return RevisionStatus(found, known[-1], found is None or found in known)


def upgrade(engine: sa.Engine) -> RevisionStatus:
    """Bring the database to the newest revision; running it twice changes nothing.

    Raises:
        DatabaseProblem: The database was made by a newer version.
    """
    before = status(engine)
    refuse_newer(before)
    if not before.current:
        from alembic import command

        with engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return status(engine)


def check(engine: sa.Engine) -> None:
    """Refuse a database at another revision, with the command to type.

    Raises:
        DatabaseProblem: Older, newer or empty.
    """
    file = file_of(engine)
    if file is not None and not file.exists():
        # To look into it would make an empty one.
        raise DatabaseProblem(
            f"There is no database at {file}. Put it back; for a new one type `workbench db upgrade`."
        )
    found = status(engine)
    refuse_newer(found)
    if not found.current:
        has = "has no tables yet" if found.found is None else f"is at revision {found.found}"
        raise DatabaseProblem(
            f"The database {has}; this version needs {found.needed}. Type `workbench db upgrade`."
        )


def refuse_newer(found: RevisionStatus) -> None:
    """Refuse a database that a newer version has made.

    Raises:
        DatabaseProblem: Its revision is not among ours.
    """
    if not found.known:
        raise DatabaseProblem(
            f"The database is at revision {found.found}, which this version does not know (its newest is "
            f"{found.needed}): a newer workbench has made it. Type `pip install --upgrade "
            "active-labeling-workbench`, or use another database."
        )


def _revisions() -> list[str]:
    """Our revisions, oldest first: a migration's file begins with its revision."""
    files = resources.files("workbench.migrations.versions").iterdir()
    return sorted(
        file.name.partition("_")[0] for file in files if file.name.endswith(".py") and file.name[0] != "_"
    )


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option(
        "script_location", next(iter(import_module("workbench.migrations").__path__)).replace("%", "%%")
    )
    return config
