"""One process of this machine, recognised beyond doubt: its id alone may be given away again."""

import json
import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STOP_PATIENCE = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that was started: where it answers and which process it is.

    Attributes:
        pid: The process id.
        started: When the kernel says it began; empty where the kernel does not tell.
        port: Where it listens on 127.0.0.1.
    """

    pid: int
    started: str
    port: int

    @property
    def url(self) -> str:
        """The address for programs and browsers of this machine."""
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Say whether this very process still runs."""
        _reap(self.pid)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False
        return start_time(self.pid) == self.started

    def stop(self) -> None:
        """End it, politely first; a process that is gone already is no error."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive():
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, how)
            self._wait(STOP_PATIENCE)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)


def start_time(pid: int) -> str:
    """Read when a process began, in clock ticks since boot; empty when it ended or without ``/proc``."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]


def write_record(path: Path, process: ServerProcess) -> None:
    """Note a running process beside its data."""
    write_private(path, asdict(process))


def read_record(path: Path) -> ServerProcess | None:
    """Read which process was noted; None when there is none or the note is unreadable."""
    try:
        return ServerProcess(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that only its owner can read, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
