"""A database for panels to read: a copy of one that was migrated once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.storage.store import Store, open_store


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at the newest revision, for copying."""
    path = tmp_path_factory.mktemp("migrated") / "workbench.db"
    opened = open_store(f"sqlite:///{path}")
    opened.upgrade()
    opened.close()
    return path


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    """A database without any project."""
    path = shutil.copy(migrated, tmp_path / "workbench.db")
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()
