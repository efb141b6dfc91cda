"""Whether whoever holds a lease still lives, as far as this machine can know."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.steps.holders import is_gone, name_of


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_who_lives_is_not_gone_and_who_has_ended_is(sleeper: subprocess.Popen[bytes]) -> None:
    owner = name_of(sleeper.pid)
    assert not is_gone(owner)
    sleeper.kill()
    sleeper.wait()
    assert is_gone(owner)


def test_who_was_killed_is_gone_also_while_nobody_has_taken_note_of_it(
    sleeper: subprocess.Popen[bytes],
) -> None:
    owner = name_of(sleeper.pid)
    sleeper.send_signal(signal.SIGKILL)
    stat = Path(f"/proc/{sleeper.pid}/stat")
    deadline = time.monotonic() + 60
    while stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert is_gone(owner)


def test_the_number_of_a_process_that_is_used_again_is_another_process(
    sleeper: subprocess.Popen[bytes],
) -> None:
    machine, _, rest = name_of(sleeper.pid).partition(":")
    pid, _, started = rest.partition(":")
    assert is_gone(f"{machine}:{pid}:{int(started) - 1}")


def test_of_another_machine_nothing_is_known(sleeper: subprocess.Popen[bytes]) -> None:
    _, _, rest = name_of(sleeper.pid).partition(":")
    sleeper.kill()
    sleeper.wait()
    assert not is_gone(f"elsewhere~00000000:{rest}")
