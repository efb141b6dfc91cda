"""A real server with real connections: strangers who say little and take little occupy no place for long."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from workbench.web.connections import BACKLOG, FEWEST, MOST, Impatient, most_connections

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
ASKED = HEAD + b"\r\n"
LARGE = b"x" * 20_000_000


async def answers(scope: Any, _receive: Any, send: Any) -> None:
    """A little for everybody; much on one address."""
    assert scope["type"] == "http"
    body = LARGE if scope["path"] == "/large" else b"here"
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(**bounds: float) -> Iterator[int]:
    """A server with these bounds; gives its port."""
    where = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    http: Any = type("Bounded", (Impatient,), bounds)
    config = uvicorn.Config(
        answers, http=http, ws="none", lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([where],), daemon=True)
    thread.start()
    try:
        yield where.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(5)
        where.close()


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def is_over(line: socket.socket) -> bool:
    """Whether the other side hangs up; waits for it."""
    try:
        return line.recv(65_536) == b""
    except ConnectionError:
        return True


def is_answered(line: socket.socket, asked: bytes = ASKED) -> bool:
    line.sendall(asked)
    heard = b""
    while part := line.recv(65_536):
        heard += part
        if heard.endswith(b"here"):
            return True
    return False


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HEAD,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    ],
    ids=["nothing", "half a head", "half a body that nobody waits for"],
)
def test_who_says_half_a_word_is_hung_up_on(said: bytes) -> None:
    with serving(asking_seconds=0.3) as port, dial(port) as line:
        if said.startswith(b"POST"):
            assert is_answered(line, said)
        else:
            line.sendall(said)
        assert is_over(line)


def test_letter_by_letter_is_no_longer_than_all_at_once() -> None:
    with serving(asking_seconds=0.5) as port, dial(port) as line:
        line.sendall(HEAD)
        line.settimeout(0.05)
        for _ in range(200):
            try:
                line.sendall(b"X")
                ended = line.recv(10) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            assert ended
            break
        else:
            pytest.fail("It was listened to for ten seconds.")


def test_one_request_after_another_comes_through_one_connection() -> None:
    with serving(asking_seconds=5.0, most=1) as port, dial(port) as line:
        for _ in range(3):
            assert is_answered(line)


def test_who_takes_nothing_of_an_answer_is_hung_up_on() -> None:
    with serving(taking_seconds=0.2) as port, dial(port) as line:
        line.sendall(HEAD.replace(b" / ", b" /large ") + b"\r\n")
        # What lies in the system's own buffers comes yet; the whole would be more.
        threading.Event().wait(0.6)
        taken = 0
        try:
            while part := line.recv(1_000_000):
                taken += len(part)
        except ConnectionError:
            pass
    assert 0 < taken < len(LARGE)


def test_who_takes_slowly_but_takes_gets_all() -> None:
    with serving(taking_seconds=1.5) as port, dial(port) as line:
        line.sendall(HEAD.replace(b" / ", b" /large ") + b"Connection: close\r\n\r\n")
        taken = b"".join(iter(lambda: line.recv(1_000_000), b""))
    assert taken.endswith(LARGE[-1000:])
    assert len(taken) > len(LARGE)


def test_who_waits_longest_makes_room_and_who_asks_is_answered() -> None:
    with serving(most=8, asking_seconds=60.0) as port, ExitStack() as stack:
        idle = [stack.enter_context(dial(port)) for _ in range(30)]
        for line in idle:
            line.sendall(HEAD)
        for _ in range(3):
            assert is_answered(stack.enter_context(dial(port)))
        assert all(is_over(line) for line in idle[:20])


@pytest.mark.parametrize(("allowed", "most"), [(64, FEWEST), (1024, 824), (10**6, MOST), (-1, MOST)])
def test_there_are_files_left_for_all_else(allowed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (allowed, allowed))
    assert most_connections() == most
