"""The law of watching: everybody hears what is newest, one reader asks, and nobody waits for the slow."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, closing, contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.concurrency import run_in_threadpool

from tests.faults.little_project import prepare
from tests.workbench.web.little_desk import LittleDesk
from workbench.domain.roles import Role
from workbench.web import live as module
from workbench.web.live import Live, TooMany

KEY = (1, 1, True)


class Said:
    """What is said to listeners, and how often it was asked for."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.broken = False
        self.stuck = threading.Event()

    def __call__(self) -> str:
        self.reads += 1
        while self.stuck.is_set():
            time.sleep(0.005)
        if self.broken:
            raise OSError("The database is away.")
        return json.dumps({"value": self.value})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.3)


async def _next(stream: AsyncIterator[bytes]) -> tuple[str, int]:
    """The next piece of news: its id and its value."""
    async for piece in stream:
        lines = dict(line.split(": ", 1) for line in piece.decode().splitlines() if ": " in line)
        if "data" in lines and lines["data"] != module.AWAY:
            return lines["id"], json.loads(lines["data"])["value"]
    raise AssertionError("It ended.")


def test_a_hundred_listeners_hear_every_state_from_one_reader() -> None:
    async def watch() -> None:
        live, said = Live(), Said()
        streams = [live.listen(KEY, said, None) for n in range(100)]
        firsts = await asyncio.gather(*map(_next, streams))
        assert len(set(firsts)) == 1
        assert (live.listeners, live.readers) == (100, 1)
        for value in (1, 2, 3):
            said.value = value
            assert {v for _, v in await asyncio.gather(*map(_next, streams))} == {value}
        before, began = said.reads, time.monotonic()
        await asyncio.sleep(0.2)
        assert said.reads - before <= (time.monotonic() - began) / module.POLL_SECONDS + 2
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        assert (live.listeners, live.readers) == (0, 0)
        await asyncio.sleep(0.05)
        after = said.reads
        await asyncio.sleep(0.1)
        assert said.reads <= after, "nobody listens, nobody asks"

    asyncio.run(watch())


def test_whoever_is_slow_misses_what_was_in_between_and_holds_nobody_up() -> None:
    async def watch() -> None:
        live, said = Live(), Said()
        slow, quick = live.listen(KEY, said, None), live.listen(KEY, said, None)
        await asyncio.gather(_next(slow), _next(quick))
        for value in range(1, 30):
            said.value = value
            assert (await _next(quick))[1] == value
        assert (await _next(slow))[1] == 29
        await asyncio.gather(slow.aclose(), quick.aclose())  # type: ignore[attr-defined]

    asyncio.run(watch())


def test_who_comes_back_is_not_told_again_what_is_known() -> None:
    async def watch() -> None:
        live, said = Live(), Said()
        async with aclosing(live.listen(KEY, said, None)) as stays:  # type: ignore[type-var]
            seen, _ = await _next(stays)
            again = live.listen(KEY, said, seen)
            assert await anext(again) == b"retry: 2000\n\n"
            assert await anext(again) == b": still here\n\n", "silence is broken for the sake of proxies"
            said.value = 7
            assert (await _next(again))[1] == 7
            await again.aclose()  # type: ignore[attr-defined]
            stranger = live.listen(KEY, said, "another-9")
            assert (await _next(stranger))[1] == 7
            await stranger.aclose()  # type: ignore[attr-defined]

    asyncio.run(watch())


def test_a_database_that_is_away_ends_no_stream_and_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)

    async def heard(stream: AsyncIterator[bytes]) -> bytes:
        return await anext(stream)

    async def watch() -> None:
        live, said = Live(), Said()
        async with aclosing(live.listen(KEY, said, None)) as stream:  # type: ignore[type-var]
            await _next(stream)
            said.broken = True
            reads = said.reads
            while said.reads < reads + 3:
                await asyncio.sleep(0.01)
            assert b'"away": true' in await heard(stream)
            said.broken = False
            assert (await _next(stream))[1] == 0, "what is so again is told again: the page is live again"
            said.stuck.set()
            assert b'"away": true' in await heard(stream), "one that does not answer is away too"
            said.value = 5
            said.stuck.clear()
            assert (await _next(stream))[1] == 5

    asyncio.run(watch())


def test_a_stream_ends_after_a_while_so_that_rights_are_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.4)

    async def watch() -> None:
        live = Live()
        pieces = [piece async for piece in live.listen(KEY, Said(), None)]
        assert pieces[0].startswith(b"retry")
        assert live.listeners == 0

    asyncio.run(watch())


def test_a_dashboard_that_is_told_to_stop_ends_every_stream() -> None:
    async def watch() -> None:
        live = Live()
        streams = [live.listen(KEY, Said(), None) for n in range(5)]
        await asyncio.gather(*map(_next, streams))
        live.leaving.set()
        rests = [[piece async for piece in stream] for stream in streams]
        assert all(b"data" not in piece for rest in rests for piece in rest)
        assert (live.listeners, live.readers) == (0, 0)

    asyncio.run(watch())


def test_there_is_a_limit_for_one_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 2)
    monkeypatch.setattr(module, "MOST_LISTENERS", 3)
    live = Live()
    with ExitStack() as seats:
        for who in ("ada", "ada"):
            seats.enter_context(live.seat(who))
        with pytest.raises(TooMany), live.seat("ada"):
            pytest.fail("a third one")
        with live.seat("ben"), pytest.raises(TooMany), live.seat("cleo"):
            pytest.fail("a fourth one of all")
        seats.enter_context(live.seat("cleo"))
    with live.seat("ada"), live.seat("ada"), live.seat("ben"):
        pass


def test_those_who_come_in_the_same_moment_are_counted_too(
    desk: LittleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 5)
    with _served(desk) as port, ExitStack() as stack:
        clients = [stack.enter_context(closing(_call(port, "otto"))) for _ in range(40)]
        told = [_hear(client, b"\r\n\r\n").split()[1] for client in clients]
        assert (told.count(b"200"), told.count(b"503")) == (5, 35)


def test_while_nobody_knows_who_may_hear_nothing_is_told_but_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    frozen = threading.Event()

    def may() -> bool:
        return frozen.wait(20)

    async def watch() -> None:
        live, said = Live(), Said()
        streams = [live.listen(KEY, said, None, may) for _ in range(60)]
        pieces = [await asyncio.gather(*map(anext, streams)) for _ in range(3)]
        assert {piece for row in pieces[1:] for piece in row} == {f"data: {module.AWAY}\n\n".encode()}
        # Sixty wait, and others have threads all the same.
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(run_in_threadpool(lambda: 1) for _ in range(20))) == [1] * 20
        frozen.set()
        assert {value for _, value in await asyncio.gather(*map(_next, streams))} == {0}
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(watch())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LittleDesk]:
    opened = LittleDesk(prepare(tmp_path_factory.mktemp("live") / "p", "spots", "embedded"))
    yield opened
    opened.close()


@contextmanager
def _served(desk: LittleDesk) -> Iterator[int]:
    where = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(desk.app, log_level="error", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([where],), daemon=True)
    thread.start()
    try:
        yield where.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        where.close()


def _call(port: int, name: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    address = "/projects/spots/live/events"
    client.sendall(
        f"GET {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key of {name}\r\n\r\n".encode()
    )
    return client


def _hear(client: socket.socket, word: bytes) -> bytes:
    heard = b""
    while word not in heard:
        more = client.recv(65_536)
        assert more, heard
        heard += more
    return heard


def test_a_hundred_pages_over_the_wire_and_one_that_never_reads(desk: LittleDesk) -> None:
    with _served(desk) as port:
        stuck = _call(port, "otto")
        clients = [_call(port, ("otto", "vera")[n % 2]) for n in range(100)]
        heads = [_hear(client, b"No round has been started yet.") for client in clients]
        assert b"text/event-stream" in heads[0]
        assert b"x-accel-buffering: no" in heads[0].lower()
        assert desk.desk.live.readers == 2, "one for those who see names, one for those who do not"
        with desk.store.begin() as tx:
            (project,) = tx.projects.all()
            tx.rounds.plan(project.id, batch_size=3, seed=1, config={})
            tx.results.note(project.id, "asked", "By otto", actor="otto")
        for number, client in enumerate(clients):
            heard = _hear(client, b"Round 0 is being scored.")
            assert (b"otto" in heard) == (number % 2 == 0), "a viewer reads no names"
        for client in (*clients, stuck):
            client.close()
        deadline = time.monotonic() + 30
        while desk.desk.live.listeners and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (desk.desk.live.listeners, desk.desk.live.readers) == (0, 0)


def test_who_may_not_look_hears_nothing(desk: LittleDesk) -> None:
    with _served(desk) as port, closing(_call(port, "nobody")) as client:
        heard = _hear(client, b"\r\n\r\n")
        assert b" 303 " in heard.partition(b"\r\n")[0]
        assert b"location: /sign-in" in heard.lower()


def test_what_is_streamed_is_one_line_of_plain_letters_whatever_people_wrote(desk: LittleDesk) -> None:
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        tx.schedules.ensure(project.id)
        tx.schedules.pause(project.id, "\u2028\r\n\ndata: {}\n<script>alert(1)</script> Zürich 猫")

    async def first() -> bytes:
        from workbench.web.pages.watching import Watcher
        from workbench.web.security.visitors import Visitor

        (place,) = desk.site.places()
        visitor = Visitor(name="otto", role=Role.OPERATOR)
        stream: Any = desk.desk.live.listen(KEY, Watcher(desk.desk, place, visitor), None)
        await anext(stream)
        found: bytes = await anext(stream)
        await stream.aclose()
        return found

    said = asyncio.run(first())
    assert said.count(b"\n") == 3
    html = json.loads(said.split(b"data: ", 1)[1])["html"]
    assert "Zürich 猫" in html
    assert "<script>" not in html
