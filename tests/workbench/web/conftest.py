"""Dashboards over the same made-up projects: open to this machine, or with a token for each role."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.little_project import prepare
from tests.workbench.web.little_desk import LittleDesk
from tests.workbench.web.sites import FILLED, OTHERS, MadeSite, make_database, show


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a filled project, an empty one, one of one round and a failed one."""
    folder = tmp_path_factory.mktemp("site")
    make_database(folder, FILLED, *OTHERS).close()
    return folder


@pytest.fixture(scope="session")
def open_site(made_folder: Path) -> MadeSite:
    """No token: open to this machine."""
    return show(made_folder)


@pytest.fixture
def guarded_site(made_folder: Path, tmp_path: Path) -> MadeSite:
    """A token for each role."""
    folder = tmp_path / "guarded"
    shutil.copytree(made_folder, folder)
    return show(folder, tokens=True)


@pytest.fixture(scope="session")
def little_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a project without rounds, with a budget."""
    more = "[budget]\nper_annotation = 0.1\nmax_labels = 100\n"
    return prepare(tmp_path_factory.mktemp("made") / "p", "spots", "embedded", more=more)


@pytest.fixture
def desk(little_project: Path, tmp_path: Path) -> Iterator[LittleDesk]:
    """A dashboard over a copy of it."""
    shutil.copytree(little_project.parent, tmp_path / "p")
    opened = LittleDesk(tmp_path / "p" / "workbench.toml")
    yield opened
    opened.close()
