"""Hold a round while working on it, and leave it in a state from which it can go on."""

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acquisition.errors import AcquisitionError
from connectors.errors import ConnectorError
from workbench.domain.errors import RoundBusy, WorkbenchError
from workbench.domain.rounds import Round
from workbench.steps.parts import LEASE_SECONDS, Parts

#: Of a process that lives, but whose start can not be read.
ALIVE = "alive"


def this_process() -> str:
    """Names this process so that another on the same machine can see whether it still lives."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def this_person() -> str:
    """Names whoever started this process, for the audit trail."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"user {os.getuid()}@{socket.gethostname()}"


def is_gone(owner: str) -> bool:
    """Whether the process behind a lease is known to have ended; False when that can not be known."""
    host, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    found = _started(int(pid))
    return found == "" or found not in (started, ALIVE)


@contextmanager
def lease(parts: Parts, found: Round, *, recording: bool = True) -> Iterator[Round]:
    """Hold the round inside the block. An error of ours is recorded with the round; others only let go.

    Without ``recording`` no error fails the round: what is tried has not changed it.

    Raises:
        RoundBusy: Another process holds it.
    """
    with parts.store.begin() as tx:
        held = tx.rounds.take(found.id, parts.owner, LEASE_SECONDS, is_gone=is_gone)
    try:
        yield held
    except RoundBusy:
        raise
    except (WorkbenchError, ConnectorError, AcquisitionError) as error:
        if recording:
            _fail(parts, held, error)
        else:
            _release(parts, held)
        raise
    except BaseException:
        _release(parts, held)
        raise
    _release(parts, held)


def _fail(parts: Parts, held: Round, error: Exception) -> None:
    message = str(error)
    try:
        with parts.store.begin() as tx:
            tx.rounds.fail(held, message)
            tx.rounds.release(held)
            tx.results.note(parts.project.id, "round-failed", message, round_id=held.id)
    except WorkbenchError:
        # The database is what failed: the lease ends by itself, the state is untouched, and the
        # first error is the one to show.
        return


def _release(parts: Parts, held: Round) -> None:
    with parts.store.begin() as tx:
        tx.rounds.release(held)


def _started(pid: int) -> str:
    """When a process started, in the kernel's own units; empty when there is none or no way to know."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return _alive(pid)
    return stat.rpartition(")")[2].split()[19]


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return ALIVE
