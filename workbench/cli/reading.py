"""Open a project only to read from its database: no labeler, no model, no torch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.config.load import load_settings
from workbench.config.model import Settings
from workbench.domain.errors import ProjectProblem
from workbench.domain.records import Project
from workbench.storage.store import Store, open_store


class Reading(NamedTuple):
    """A database, the project in it, and its settings."""

    store: Store
    project: Project
    settings: Settings


@contextmanager
def open_reading(config: Path) -> Iterator[Reading]:
    """Open the database of a project.

    Raises:
        WorkbenchError: Configuration or database are not as they should be, or the project is not there.
    """
    settings = load_settings(config)
    store = open_store(settings.database_url)
    try:
        store.check()
        with store.read() as tx:
            project = tx.projects.get(settings.config.project.name)
            known = [other.name for other in tx.projects.all()]
        if project is None:
            raise ProjectProblem(_missing(settings.config.project.name, known))
        yield Reading(store, project, settings)
    finally:
        store.close()


def _missing(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"The database holds no project '{name}' yet. Type `workbench pool add PATH` to begin."
    return (
        f"The database holds no project '{name}'. It holds: {', '.join(known)}. If one was renamed in "
        "workbench.toml, put the old name back; if this one is new, type `workbench pool add PATH` to begin."
    )


@contextmanager
def open_database(config: Path) -> Iterator[Store]:
    """Open the database that a configuration names, whether or not the project is in it yet.

    Raises:
        WorkbenchError: Configuration or database are not as they should be.
    """
    store = open_store(load_settings(config).database_url)
    try:
        store.check()
        yield store
    finally:
        store.close()
