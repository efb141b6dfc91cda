"""Listens for webhooks beside the work, in a thread of its own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from workbench.domain.errors import ConfigProblem
from workbench.scheduler.worker import Worker
from workbench.web.hooks import Hook, hook_app

EXPECTED = "expected HOST:PORT, as in 127.0.0.1:8091"


def read_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        ConfigProblem: It is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigProblem(f"--webhooks is {text!r}; {EXPECTED}.")
    return host.strip("[]"), int(port)


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
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
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
        Hook(store=opened.store, project=opened.project, secret=opened.settings.webhook_secret)
        for opened in (watched.opened for watched in worker.watched)
        if opened is not None
    ]
