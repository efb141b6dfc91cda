"""Hold a round while working on it, and leave it in a state from which it can go on."""

import getpass
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from acquisition.errors import AcquisitionError
from connectors.errors import ConnectorError, LabelerUnreachable, OutcomeUnknown
from workbench.domain.errors import DatabaseAway, RoundBusy, WorkbenchError
from workbench.domain.rounds import Round
from workbench.steps.parts import Parts
from workbench.storage.patience import patiently

#: What passes by itself: the round is left as it stands, to go on from there.
PASSING = (DatabaseAway, LabelerUnreachable, OutcomeUnknown)
#: Of a process that lives, but whose start can not be read.
ALIVE = "alive"
#: The kernel's letters for a process that has ended and is still on its list.
ENDED = ("Z", "X")


def this_process() -> str:
    """Names this process so that another on the same machine can see whether it still lives."""
    return name_of(os.getpid())


def name_of(pid: int) -> str:
    """Names a process of this machine."""
    return f"{_machine()}:{pid}:{_started(pid)}"


def this_person() -> str:
    """Names whoever started this process, for the audit trail."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"user {os.getuid()}@{socket.gethostname()}"


def is_gone(owner: str) -> bool:
    """Whether the process behind a lease is known to have ended; False when that can not be known."""
    machine, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    if machine != _machine() or not pid.isdigit():
        return False
    found = _started(int(pid))
    return found == "" or found not in (started, ALIVE)


@contextmanager
def lease(parts: Parts, found: Round, *, recording: bool = True) -> Iterator[Round]:
    """Hold the round inside the block, however long it takes.

    An error of ours is recorded with the round, unless it is that the database or the labeler is away: then
    the round stays as it is. Others only let go. Without ``recording`` no error fails the round.

    Raises:
        RoundBusy: Another process holds it, or has taken it meanwhile.
    """
    held = _take(parts, found)
    try:
        with parts.watch.keep(parts.store, held, parts.lease_seconds):
            yield held
    except RoundBusy:
        raise
    except (WorkbenchError, ConnectorError, AcquisitionError) as error:
        if recording and not isinstance(error, PASSING):
            _fail(parts, held, error)
        else:
            _let_go(parts, held)
        raise
    except BaseException:
        _let_go(parts, held)
        raise
    parts.store.insist(lambda tx: tx.rounds.release(held))


def steadily(parts: Parts, held: Round, step: Callable[[Parts, Round], Round]) -> Round:
    """Run a step; when the database goes away meanwhile, again from where the round then stands.

    Every step can be run twice from its beginning, as after a kill.

    Raises:
        DatabaseAway: It was away for more than a minute.
        RoundBusy: Another process has taken the round meanwhile.
    """
    tried = False

    def once() -> Round:
        nonlocal tried
        now = _look(parts, held) if tried else held
        tried = True
        # A move whose commit was carried out and not answered.
        return now if now.position is not held.position else step(parts, now)

    return patiently(once)


def _look(parts: Parts, held: Round) -> Round:
    with parts.store.begin() as tx:
        tx.rounds.hold(held)
        return tx.rounds.get(held.id)


def _take(parts: Parts, found: Round) -> Round:
    # In a transaction of its own: it lasts also when the round is refused.
    parts.store.insist(lambda tx: tx.rounds.trim(found.id, parts.lease_seconds))
    return parts.store.insist(
        lambda tx: tx.rounds.take(found.id, parts.owner, parts.lease_seconds, is_gone=is_gone)
    )


def _fail(parts: Parts, held: Round, error: Exception) -> None:
    message = str(error)
    # If the database fails too: the lease ends by itself, the state is untouched, and the first error is
    # the one to show.
    with suppress(WorkbenchError), parts.store.begin() as tx:
        tx.rounds.fail(held, message)
        tx.rounds.release(held)
        tx.results.note(parts.project.id, "round-failed", message, round_id=held.id)


def _let_go(parts: Parts, held: Round) -> None:
    with suppress(WorkbenchError), parts.store.begin() as tx:
        tx.rounds.release(held)


def _machine() -> str:
    """The host, and which start of it and which container: many machines are named alike."""
    marks = []
    for read in (_boot, _container):
        with suppress(OSError):
            marks.append(read())
    mark = hashlib.blake2b("\n".join(marks).encode(), digest_size=4).hexdigest()
    return f"{socket.gethostname()}~{mark}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _container() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _started(pid: int) -> str:
    """When a process started, in the kernel's own units; empty when there is none or no way to know."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        # Not there, gone while it was read, or hidden from us.
        return _alive(pid)
    state, *facts = stat.rpartition(")")[2].split()
    # Killed, and not yet taken note of by whoever started it, as in a container without an init.
    return "" if state in ENDED else facts[18]


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return ALIVE
