"""A proxy in front of a labeler, on which one answer goes wrong as it can go wrong on any network.

A fault is a function of one exchange: it may have the request carried out, answer what it likes, or hang up.
A new fault is a name and such a function in ``FAULTS``; the sweep then tries it on every kind of request.
"""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

#: Not passed on: they are about one connection, or made anew.
BETWEEN_TWO = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
PAGE = b"<!doctype html><title>Log in</title><p>Please log in."


@dataclass(frozen=True)
class Answer:
    """What a server says."""

    status: int
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes = b"{}"


class Exchange:
    """One request on its way, and the connection on which its answer is awaited."""

    def __init__(self, handler: "_Handler", proxy: "FaultyProxy") -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        self._body = handler.rfile.read(length)
        self._handler = handler
        self.proxy = proxy
        self.kind = f"{handler.command} {re.sub(r'/[0-9]+', '/*', urlsplit(handler.path).path)}"

    def carry_out(self) -> Answer:
        """Have the server do it."""
        headers = {k: v for k, v in self._handler.headers.items() if k.lower() not in BETWEEN_TWO}
        server = HTTPConnection(self.proxy.server.hostname or "", self.proxy.server.port or 80, timeout=120)
        try:
            server.request(self._handler.command, self._handler.path, self._body, headers)
            found = server.getresponse()
            kept = tuple((k, v) for k, v in found.getheaders() if k.lower() not in BETWEEN_TWO)
            return Answer(found.status, kept, found.read())
        finally:
            server.close()

    def answer(self, answer: Answer, *, length: int | None = None) -> None:
        """Send an answer; with another ``length`` than its own it breaks off in the middle."""
        handler = self._handler
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(answer.body)
        if length is not None:
            self.hang_up()

    def hang_up(self, *, rudely: bool = False) -> None:
        """End the connection: with a goodbye, or with a reset."""
        self._handler.close_connection = True
        if rudely:
            linger = struct.pack("ii", 1, 0)
            self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # The handler's two files hold the connection open; only when they are closed it is reset.
            self._handler.rfile.close()
            self._handler.wfile.close()
            self._handler.connection.close()

    def wait(self) -> None:
        """Wait for longer than the client does."""
        time.sleep(self.proxy.patience + 0.3)


Fault = Callable[[Exchange], None]


def instead(answer: Answer | Callable[[], Answer]) -> Fault:
    """Answer this; the server never hears of the request."""
    return lambda exchange: exchange.answer(answer() if callable(answer) else answer)


def afterwards(answer: Answer) -> Fault:
    """Answer this, though the server has carried the request out."""

    def fault(exchange: Exchange) -> None:
        exchange.carry_out()
        exchange.answer(answer)

    return fault


def changed(change: Callable[[Answer], Answer]) -> Fault:
    """Answer what the server says, changed on the way."""
    return lambda exchange: exchange.answer(change(exchange.carry_out()))


def answer_lost(exchange: Exchange) -> None:
    """It was carried out, and the connection ended."""
    exchange.carry_out()
    exchange.hang_up()


def answer_late(exchange: Exchange) -> None:
    """It was carried out at once, and the answer comes when nobody waits any more."""
    found = exchange.carry_out()
    exchange.wait()
    exchange.answer(found)


def carried_out_late(exchange: Exchange) -> None:
    """The client gives up; only then the server hears of it."""
    exchange.wait()
    exchange.carry_out()
    exchange.hang_up()


def half_a_body(exchange: Exchange) -> None:
    """The connection ends in the middle of the answer."""
    found = exchange.carry_out()
    exchange.answer(replace(found, body=found.body[: len(found.body) // 2]), length=len(found.body) + 1)


def reset_in_the_middle(exchange: Exchange) -> None:
    """The connection is reset in the middle of the answer."""
    found = exchange.carry_out()
    exchange._handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + found.body[:5])
    exchange._handler.wfile.flush()
    exchange.hang_up(rudely=True)


def delivered_twice(exchange: Exchange) -> None:
    """A helpful box in between sends it again."""
    exchange.carry_out()
    exchange.answer(exchange.carry_out())


def _too_many(retry_after: str) -> Answer:
    return Answer(429, (("Content-Type", "application/json"), ("Retry-After", retry_after)))


def _too_many_until() -> Answer:
    return _too_many(format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True))


def _page(status: int) -> Answer:
    return Answer(status, (("Content-Type", "text/html"),), PAGE)


FAULTS: dict[str, Fault] = {
    "never arrived": lambda exchange: exchange.hang_up(),
    "reset before": lambda exchange: exchange.hang_up(rudely=True),
    "answer lost": answer_lost,
    "answer late": answer_late,
    "carried out late": carried_out_late,
    "500": instead(Answer(500)),
    "500 afterwards": afterwards(Answer(500)),
    "502": instead(_page(502)),
    "502 afterwards": afterwards(_page(502)),
    "503": instead(Answer(503, (("Content-Type", "text/plain"), ("Retry-After", "1")), b"busy")),
    "504 afterwards": afterwards(_page(504)),
    "429 for a second": instead(_too_many("1")),
    "429 until then": instead(_too_many_until),
    "a page": instead(_page(200)),
    "a page afterwards": afterwards(_page(200)),
    "half a body": half_a_body,
    "truncated JSON": changed(lambda found: replace(found, body=found.body[: len(found.body) // 2])),
    "reset in the middle": reset_in_the_middle,
    "a redirect": instead(Answer(302, (("Location", "/user/login/"),), b"")),
    "a redirect afterwards": afterwards(Answer(302, (("Location", "/user/login/"),), b"")),
    "10 MB of garbage": changed(lambda found: replace(found, body=bytes(range(256)) * 40_000)),
    "delivered twice": delivered_twice,
    "an empty body": changed(lambda found: replace(found, body=b"")),
    "other JSON": changed(lambda found: replace(found, body=b"[]")),
    "an empty object": changed(lambda found: replace(found, body=b"{}")),
}


class Planned(NamedTuple):
    """The nth request of a kind meets a fault: one of ``FAULTS`` by name, or one of a test's own."""

    kind: str
    nth: int
    fault: str | Fault


class FaultyProxy:
    """Passes everything on to ``url``, except what is planned to go wrong; use it in a ``with`` statement.

    Args:
        url: Where the server is.
        plan: What goes wrong.
        patience: For how many seconds the client waits for an answer.
    """

    def __init__(self, url: str, plan: Sequence[Planned] = (), *, patience: float = 3.0) -> None:
        self.server = urlsplit(url)
        self.patience = patience
        #: The kinds of all requests so far, in their order.
        self.seen: list[str] = []
        #: What of the plan has happened.
        self.happened: list[Planned] = []
        self._plan = {(planned.kind, planned.nth): planned for planned in plan}
        self._lock = threading.Condition()
        self._under_way = 0
        self._listener = _Listener(("127.0.0.1", 0), _Handler, self)

    @property
    def url(self) -> str:
        """Where the client is to ask."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait_for_all()
        self._listener.shutdown()
        self._listener.server_close()

    def wait_for_all(self) -> None:
        """Until nothing is under way any more: what was delayed has arrived."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._under_way == 0, timeout=60)

    def meet(self, exchange: Exchange) -> None:
        """Carry out one exchange, well or badly."""
        with self._passing(exchange.kind) as planned:
            if planned is None:
                exchange.answer(exchange.carry_out())
                return
            self.happened.append(planned)
            fault = FAULTS[planned.fault] if isinstance(planned.fault, str) else planned.fault
            fault(exchange)

    @contextmanager
    def _passing(self, kind: str) -> Any:
        with self._lock:
            self.seen.append(kind)
            planned = self._plan.pop((kind, self.seen.count(kind)), None)
            self._under_way += 1
        try:
            yield planned
        finally:
            with self._lock:
                self._under_way -= 1
                self._lock.notify_all()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type, proxy: FaultyProxy) -> None:
        super().__init__(address, handler)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what half of the faults are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it every small answer waits for the one before to be acknowledged.
    disable_nagle_algorithm = True
    server: _Listener

    def _pass(self) -> None:
        self.server.proxy.meet(Exchange(self, self.server.proxy))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _pass

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""
