"""What several test folders need: a real Label Studio, and nothing of the developer's own settings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_people import LabelStudioAnnotator, invite_person
from connectors.labelers.label_studio_server import LabelStudioServer, find_program
from connectors.labelers.server_environment import Owner

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("LABEL_STUDIO_", "WORKBENCH_", "HEARTEX_")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealLabelStudio:
    """A running server of this test session."""

    url: str
    owner: Owner
    files_root: Path
    people: dict[str, LabelStudioAnnotator] = field(default_factory=dict)

    def person(self, name: str) -> LabelStudioAnnotator:
        """Somebody with an account, who stays signed in for the whole session."""
        if name not in self.people:
            self.people[name] = invite_person(
                self.url, self.owner.token, f"{name}@example.com", f"{name}-password"
            )
        return self.people[name]


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
        running = RealLabelStudio(url=server.url, owner=server.owner, files_root=base / "files")
        yield running
        for person in running.people.values():
            person.close()
