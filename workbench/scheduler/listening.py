"""Listens for webhooks beside the work, in a thread of its own.

Whoever calls may be anybody: calls that do not come to their end, and too many at once, are hung up on, so
that the worker always has files and connections left for its work.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from workbench.bootstrap import SHORTEST_SECRET
from workbench.domain.errors import ConfigProblem
from workbench.scheduler.worker import Worker
from workbench.web.hooks import Hook, hook_app

EXPECTED = "expected HOST:PORT, as in 127.0.0.1:8091"
LOOPBACK = frozenset({"localhost", "::1"})


class Impatient(H11Protocol):
    """One connection, with an end to it: Label Studio opens another for each call."""

    seconds = 10.0
    most = 100

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection for a while, or not at all while there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self.loop.call_later(self.seconds, transport.abort)


def read_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        ConfigProblem: It is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigProblem(f"--webhooks is {text!r}; {EXPECTED}.")
    return host.strip("[]"), int(port)


def is_public(host: str) -> bool:
    """Say whether other machines may reach this address."""
    return host not in LOOPBACK and not host.startswith("127.")


@contextmanager
def listening(worker: Worker, host: str, port: int) -> Iterator[int]:
    """Receive calls for the worker's projects while inside the block; gives the port.

    Raises:
        ConfigProblem: Nobody can listen there.
    """
    try:
        where = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigProblem(
            f"Nothing can listen at {host}:{port}: {error.strerror or error}. Name another address with "
            "--webhooks."
        ) from error
    app = hook_app(lambda: _hooks(worker), worker.awake.set)
    server = uvicorn.Server(
        uvicorn.Config(app, http=Impatient, ws="none", log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run, args=([where],), name="webhooks", daemon=True)
    thread.start()
    try:
        yield where.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(2.0)
        where.close()


def _hooks(worker: Worker) -> list[Hook]:
    return [
        Hook(store=opened.store, project=opened.project, secret=_hard(opened.settings.webhook_secret))
        for opened in (watched.opened for watched in worker.watched)
        if opened is not None
    ]


def _hard(secret: str | None) -> str | None:
    """A secret that is too easy opens nothing."""
    return secret if secret and len(secret) >= SHORTEST_SECRET else None
