"""A real listener with real connections: strangers neither occupy it nor break it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest

from workbench.domain.records import Project, TaskKind
from workbench.scheduler.listening import Impatient, is_public, listening
from workbench.scheduler.worker import Worker
from workbench.storage.store import Store, open_store

SECRET = "a-secret-for-the-tests-alone"
LINE = b"POST /hooks/label-studio/reviews HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
SIGNED = LINE + b"X-Workbench-Secret: " + SECRET.encode() + b"\r\n"
JSON = b"Content-Type: application/json\r\n"
CALL = SIGNED + JSON + b"Content-Length: 2\r\n\r\n{}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(f"sqlite:///{tmp_path}/x.db")
    found.upgrade()
    yield found
    found.close()


@pytest.fixture
def called(store: Store) -> SimpleNamespace:
    """What a worker shows of itself to the listener."""
    with store.begin() as tx:
        project = tx.projects.ensure("reviews", kind=TaskKind.TEXT, classes=("a", "b"), seed=1)
    return worker_of(store, project, SECRET)


def worker_of(store: Store, project: Project, secret: str) -> SimpleNamespace:
    opened = SimpleNamespace(store=store, project=project, settings=SimpleNamespace(webhook_secret=secret))
    return SimpleNamespace(watched=[SimpleNamespace(opened=opened)], awake=Event())


@pytest.fixture
def port(called: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Impatient, "seconds", 1.0)
    monkeypatch.setattr(Impatient, "most", 5)
    with listening(cast("Worker", called), "127.0.0.1", 0) as found:
        yield found


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def say(port: int, raw: bytes) -> bytes:
    """Everything that is answered."""
    with dial(port) as line:
        line.sendall(raw)
        return heard(line)


def heard(line: socket.socket) -> bytes:
    found = b""
    try:
        while part := line.recv(65_536):
            found += part
    except ConnectionError:
        pass
    return found


def test_whoever_says_nothing_or_never_ends_is_hung_up_on(port: int, called: Any) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(dial(port)) for _ in range(5)]
        for line in slow[1:]:
            line.sendall(SIGNED[:20])
        assert say(port, CALL) == b"", "one too many is not let in"
        assert [heard(line) for line in slow] == [b""] * 5
        assert b" 202 " in say(port, CALL)
    assert called.awake.wait(5)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x00\xff\xfe\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 100_000, b"400"),
        (LINE.replace(b"reviews", b"%00%ff%2e%2e") + b"\r\n", b"401"),
        (LINE.replace(b"reviews", b"\xc3\xa9") + b"\r\n", b"400"),
        (LINE.replace(b"POST", b"BREW") + b"\r\n", b"405"),
        (LINE + b"X-Workbench-Secret: \xff\xfe\r\n\r\n", b"401"),
        (LINE + b"X-Workbench-Secret: wrong\r\n" + CALL.removeprefix(LINE), b"401"),
        (SIGNED + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"400"),
        (SIGNED + JSON + b"Content-Length: -1\r\n\r\n{}", b"400"),
        (SIGNED + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"415"),
        (SIGNED + JSON + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", b"400"),
        (SIGNED + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b" " * 1_048_578, b"413"),
    ],
)
def test_whatever_is_said_the_answer_is_a_refusal_and_never_a_failure(
    port: int, raw: bytes, status: bytes, called: Any
) -> None:
    answer = say(port, raw)
    assert answer.split()[1] == status
    assert not called.awake.is_set()


def test_a_secret_that_is_too_easy_opens_nothing(called: Any) -> None:
    (watched,) = called.watched
    easy = worker_of(watched.opened.store, watched.opened.project, "easy")
    with listening(cast("Worker", easy), "127.0.0.1", 0) as port:
        assert b" 401 " in say(port, CALL.replace(SECRET.encode(), b"easy"))


@pytest.mark.parametrize(
    ("host", "public"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True)]
)
def test_addresses_that_other_machines_reach_are_told_apart(host: str, public: bool) -> None:
    assert is_public(host) is public
