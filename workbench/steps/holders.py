"""Who works, by names from which another process on the same machine can tell whether they still live."""

import getpass
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

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
