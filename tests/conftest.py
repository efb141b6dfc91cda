"""What several test folders need: real servers, and nothing of the developer's own settings."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_people import LabelStudioAnnotator, invite_person
from connectors.labelers.label_studio_server import LabelStudioServer, find_program
from connectors.labelers.server_environment import Owner

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The same examples in every run, so that a change is judged by what it changed. HYPOTHESIS_PROFILE=hunt
# looks for new ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("hunt", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

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
    with pytest.MonkeyPatch.context() as environment:
        # It may call webhooks on this machine.
        environment.setenv("SSRF_PROTECTION_ENABLED", "false")
        server.start()
    with server:
        running = RealLabelStudio(url=server.url, owner=server.owner, files_root=base / "files")
        yield running
        for person in running.people.values():
            person.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealPostgreSQL:
    """A running server, of which a test may make databases, and which it may restart."""

    programs: Path
    directory: Path
    user: str | None
    port: int

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"postgresql://{self.user or getpass.getuser()}@127.0.0.1:{self.port}/postgres"

    def control(self, *words: str) -> None:
        """Start, stop or restart it, and wait until that is done."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.directory} -c fsync=off"
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", log, "-o", options, *words)

    @property
    def data(self) -> str:
        """Where its files lie."""
        return str(self.directory / "data")

    def run(self, program: str, *words: str) -> None:
        """Run one of its programs."""
        command = [str(self.programs / program), *words]
        # What pg_ctl starts keeps its output open: read from a file, not from a pipe.
        with (self.directory / "said").open("w") as said:
            done = subprocess.run(command, user=self.user, cwd=self.directory, stdout=said, stderr=said)
        assert done.returncode == 0, f"{command}: {(self.directory / 'said').read_text()}"

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new database, empty; gives its address."""
        name = f"t{os.urandom(6).hex()}"
        self.execute(f'CREATE DATABASE "{name}"')
        yield self.url.rpartition("/")[0] + f"/{name}"
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _postgresql_programs() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    found = shutil.which("initdb") or (str(versions[0]) if versions else None)
    if found is None:
        pytest.skip("no PostgreSQL on this machine: install the system package 'postgresql'")
    return Path(found).resolve().parent


@contextmanager
def started_postgresql() -> Iterator[RealPostgreSQL]:
    """A server of one's own."""
    programs = _postgresql_programs()
    # PostgreSQL refuses to run as root; its package brings a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    if user:
        shutil.chown(directory, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = RealPostgreSQL(programs=programs, directory=directory, user=user, port=port)
    owner = user or getpass.getuser()
    try:
        server.run("initdb", "-D", server.data, "-A", "trust", "-E", "UTF8", "--no-sync", "-U", owner)
        server.control("start")
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[RealPostgreSQL]:
    """A real PostgreSQL server that lives as long as the tests."""
    with started_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_url(postgresql: RealPostgreSQL) -> str:
    """The address of that server."""
    return postgresql.url


@pytest.fixture
def postgresql_database(postgresql: RealPostgreSQL) -> Iterator[str]:
    """A new and empty database on that server."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[RealPostgreSQL]:
    """A server that a file of tests may restart: nobody else uses it."""
    with started_postgresql() as server:
        yield server


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
