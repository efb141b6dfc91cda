"""Which revision a database is at, and how to bring it to the newest. The schema is made here alone."""

from importlib import import_module
from typing import NamedTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from workbench.domain.errors import DatabaseProblem
from workbench.storage.engine import file_of


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
    script = ScriptDirectory.from_config(_config())
    needed = script.get_current_head()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return RevisionStatus(found, str(needed), found is None or _knows(script, found))


def upgrade(engine: sa.Engine) -> RevisionStatus:
    """Bring the database to the newest revision; running it twice changes nothing.

    Raises:
        DatabaseProblem: The database was made by a newer version.
    """
    before = status(engine)
    refuse_newer(before)
    if not before.current:
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


def _knows(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False


def _config() -> Config:
    config = Config()
    config.set_main_option(
        "script_location", next(iter(import_module("workbench.migrations").__path__)).replace("%", "%%")
    )
    return config
