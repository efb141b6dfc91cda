"""Starts a real Label Studio on this machine, for itself alone, and stops it again.

The server listens on 127.0.0.1 only, asks nothing of the internet and lets nobody sign up without an
invitation. All it knows lives in one data directory, together with its credentials and a record of the
running process, so that a later run finds the same server again. POSIX only.
"""

import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from connectors.errors import LabelerRefused, LabelerUnreachable
from connectors.labelers.server_environment import Owner, server_environment
from connectors.labelers.server_process import (
    ServerProcess,
    read_record,
    start_time,
    write_private,
    write_record,
)
from connectors.labelers.server_template import copy_template

LOG: Final = "server.log"
PROGRAM_VARIABLE: Final = "LABEL_STUDIO_BIN"


def _quiet(_: str) -> None:
    """Tell nobody."""


class LabelStudioServer:
    """A Label Studio of our own; use it in a ``with`` statement, or call ``start`` and ``stop``.

    Leaving the ``with`` statement stops the server if it was started there, and leaves one alone that
    was running before.

    Args:
        data_dir: Where everything is kept; made if missing.
        program: The ``label-studio`` program.
        template_dir: Where a prepared empty database is kept between first starts: 7 s instead of 30.
        files_root: Pictures below this folder can be shown (see ``LabelStudioLabeler.ensure_local_storage``).
        port: A fixed port; a free one is chosen when None.
        email: The owner's log-in for a new data directory; password and token are drawn at random.
        timeout: Seconds to wait for the server.
        tell: Is told in words what is going on.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        program: Path,
        template_dir: Path | None = None,
        files_root: Path | None = None,
        port: int | None = None,
        email: str = "admin@example.com",
        timeout: float = 300.0,
        tell: Callable[[str], None] = _quiet,
    ) -> None:
        self._dir = data_dir.absolute()
        self._program = program
        self._template = template_dir
        self._files_root = files_root
        self._port = port
        self._email = email
        self._timeout = timeout
        self._tell = tell
        self._process: ServerProcess | None = None
        self.started_here = False

    @property
    def url(self) -> str:
        """Where it answers, for programs and browsers of this machine."""
        return self._running().url

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def owner(self) -> Owner:
        """Who owns it."""
        return Owner(**json.loads((self._dir / "credentials.json").read_text()))

    def start(self) -> Self:
        """Take the server of this data directory if it still runs, else start it, and wait until it answers.

        Raises:
            LabelerUnreachable: It ended or did not answer in time; the message ends with its last lines.
            LabelerRefused: The fixed port is taken by another program, or the program does not exist.
        """
        self._dir.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(self._dir / "start.lock"):
            if not self._adopt():
                self._prepare()
                self._launch()
        return self

    def adopt(self) -> bool:
        """Take the server of this data directory if it still runs and is ours; start nothing."""
        return self._dir.is_dir() and self._adopt()

    def stop(self) -> None:
        """End the server of this data directory, and only that; stopping twice is no error."""
        process = self._process or read_record(self._dir / "server.json")
        if process is not None:
            process.stop()
        (self._dir / "server.json").unlink(missing_ok=True)
        self._process = None
        self.started_here = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.started_here:
            self.stop()

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise LabelerUnreachable("This Label Studio was not started: call start() first.")
        return self._process

    def _adopt(self) -> bool:
        noted = read_record(self._dir / "server.json")
        if noted is None or not noted.alive() or not (self._dir / "credentials.json").exists():
            return False
        self._tell(f"Label Studio is running already at {noted.url}.")
        try:
            self._await(noted)
        except LabelerUnreachable:
            if noted.alive():
                raise
            return False
        self._process = noted
        return True

    def _prepare(self) -> None:
        if not (self._dir / "credentials.json").exists():
            owner = Owner(email=self._email, password=secrets.token_urlsafe(18), token=secrets.token_hex(20))
            write_private(self._dir / "credentials.json", asdict(owner))
        if self._template is not None:
            bare = partial(server_environment, owner=None, files_root=None)
            copy_template(self._template, self._dir, self._program, bare, self._tell)

    def _launch(self) -> None:
        port = free_port(self._port)
        self._tell("Starting Label Studio ...")
        with (self._dir / LOG).open("wb") as log:
            child = subprocess.Popen(  # noqa: S603  (the program the user named)
                [str(self._program), *_arguments(port)],
                env=server_environment(self._dir, self.owner, self._files_root),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = ServerProcess(pid=child.pid, started=start_time(child.pid), port=port)
        try:
            write_record(self._dir / "server.json", process)
            self._await(process)
        except BaseException:
            process.stop()
            (self._dir / "server.json").unlink(missing_ok=True)
            raise
        finally:
            child.returncode = 0  # the process is watched by its id and start time, not by this object
        self._process = process
        self.started_here = True

    def _await(self, process: ServerProcess) -> None:
        began = told = time.monotonic()
        while not _answers(process.url, self.owner):
            now = time.monotonic()
            if _moved_on(self._dir / LOG, process.port):
                raise LabelerRefused(f"Port {process.port} was taken by another program. Start again.")
            if not process.alive() or now - began > self._timeout:
                raise LabelerUnreachable(self._why_not(process))
            if now - told > 5:
                self._tell(f"Label Studio is starting, {now - began:.0f} s ...")
                told = now
            time.sleep(0.1)
        self._tell(f"Label Studio answers at {process.url}.")

    def _why_not(self, process: ServerProcess) -> str:
        state = "still runs but does not answer as ours" if process.alive() else "ended while starting"
        log = self._dir / LOG
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
        return "\n  ".join(
            [f"Label Studio (process {process.pid}) {state}. The last lines of {log}:", *lines]
        )


def find_program(environment: Mapping[str, str], *places: Path) -> Path:
    """Find the ``label-studio`` program: by ``LABEL_STUDIO_BIN``, in the given places, or on the path.

    Raises:
        LabelerRefused: It is nowhere.
    """
    named = environment.get(PROGRAM_VARIABLE)
    on_path = shutil.which("label-studio", path=environment.get("PATH"))
    candidates = [Path(named)] if named else [*places, *([Path(on_path)] if on_path else [])]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    looked = ", ".join(str(candidate) for candidate in candidates) or "nowhere in particular"
    raise LabelerRefused(
        f"No label-studio program found (looked at: {looked}). Install it into an environment of its own, "
        "'python -m venv ls && ls/bin/pip install label-studio==1.23.2', and set "
        f"{PROGRAM_VARIABLE}=ls/bin/label-studio."
    )


def free_port(wanted: int | None) -> int:
    """Choose a free port of this machine, or check that the wanted one is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise LabelerRefused(
                f"Port {wanted} is taken by another program. Choose another port, or none for a free one."
            ) from error
        return int(probe.getsockname()[1])


def _arguments(port: int) -> list[str]:
    where = ["--internal-host", "127.0.0.1", "--port", str(port)]
    return ["start", "--no-browser", *where, "--log-level", "WARNING"]


def _answers(url: str, owner: Owner) -> bool:
    headers = {"Authorization": f"Token {owner.token}"}
    try:
        response = httpx.get(f"{url}/api/current-user/whoami", headers=headers, timeout=5.0, trust_env=False)
        return response.is_success and response.json().get("email") == owner.email
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _moved_on(log: Path, port: int) -> bool:
    with log.open("rb") as file:
        return f"Port {port} is in use".encode() in file.read(10_000)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
