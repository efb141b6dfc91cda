"""What several test folders need: a real Label Studio, and nothing of the developer's own settings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_server import LabelStudioServer, Owner, find_program

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("LABEL_STUDIO_", "WORKBENCH_", "HEARTEX_")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealLabelStudio:
    """A running server of this test session."""

    url: str
    owner: Owner
    files_root: Path


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(SETTINGS) and name != "LABEL_STUDIO_BIN"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def label_studio_program() -> Path:
    """The label-studio program; the test is skipped where there is none."""
    try:
        return find_program({**os.environ, "PATH": ""}, ROOT / ".venv-label-studio/bin/label-studio")
    except LabelerRefused as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def label_studio(
    label_studio_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealLabelStudio]:
    """One real Label Studio for the whole session."""
    base = tmp_path_factory.mktemp("label-studio")
    (base / "files").mkdir()
    server = LabelStudioServer(
        base / "data",
        program=label_studio_program,
        template_dir=ROOT / ".cache" / "label-studio-template",
        files_root=base / "files",
    )
    with server:
        yield RealLabelStudio(url=server.url, owner=server.owner, files_root=base / "files")
