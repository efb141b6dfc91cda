"""What several test folders need: a real Label Studio, and nothing of the developer's own settings."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_people import LabelStudioAnnotator, invite_person
from connectors.labelers.label_studio_server import LabelStudioServer, find_program
from connectors.labelers.server_environment import Owner

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
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


@pytest.fixture(scope="module")
def page() -> Iterator["Page"]:
    """A page of a real headless browser."""
    if not CHROMIUM.exists():
        pytest.skip("No /usr/bin/chromium: 'apt-get install chromium' runs the tests in a browser.")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="'pip install playwright' drives the browser."
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser.new_page(viewport={"width": 1400, "height": 900})
        browser.close()


def sign_in(page: "Page", url: str, email: str, password: str) -> None:
    """Log a person in through the form."""
    page.context.clear_cookies()
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"/(projects.*)?$"))
