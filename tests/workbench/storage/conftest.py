"""A database of every kind, empty and at the newest revision; PostgreSQL is a real server on a free port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.storage.store import Store, open_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'workbench.db'}"
        return
    yield request.getfixturevalue("postgresql_database")


@pytest.fixture
def store(empty_database_url: str) -> Iterator[Store]:
    """A database at the newest revision."""
    opened = open_store(empty_database_url)
    opened.upgrade()
    yield opened
    opened.close()
