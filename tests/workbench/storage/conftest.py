"""A database of every kind, empty and at the newest revision; PostgreSQL is a real server on a free port."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.storage.store import Store, open_store


def _find_programs() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    found = shutil.which("initdb") or (str(versions[0]) if versions else None)
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The address of a real PostgreSQL server that lives as long as the tests."""
    programs = _find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine: install the system package 'postgresql'")
    # PostgreSQL refuses to run as root; its package brings a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    if user:
        shutil.chown(directory, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / "data"

    def run(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    try:
        owner = user or getpass.getuser()
        run(f"{programs}/initdb", "-D", str(data), "-A", "trust", "-E", "UTF8", "--no-sync", "-U", owner)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {directory} -c fsync=off"
        log = str(directory / "log")
        run(f"{programs}/pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://{owner}@127.0.0.1:{port}/postgres"
        finally:
            run(f"{programs}/pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'workbench.db'}"
        return
    server = request.getfixturevalue("postgresql_url")
    name = f"t{os.urandom(6).hex()}"
    _administer(server, f'CREATE DATABASE "{name}"')
    yield server.rpartition("/")[0] + f"/{name}"
    _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def store(empty_database_url: str) -> Iterator[Store]:
    """A database at the newest revision."""
    opened = open_store(empty_database_url)
    opened.upgrade()
    yield opened
    opened.close()


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
