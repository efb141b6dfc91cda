"""Whatever goes wrong between us and a server comes out as one of our own errors, and never as another."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.errors import LabelerError, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.label_studio_http import open_client, read_json
from connectors.retry import Patience
from tests.faults.proxy import FAULTS, FaultyProxy, Planned

WRITE = "POST /api/things/*/"
READ = "GET /api/things/*/"
#: After these the server has not done what it was asked to do.
NOT_DONE = {"never arrived", "reset before", "500", "502", "503", "429 for a second", "429 until then"} | {
    "a page",
    "a redirect",
}


class Server(BaseHTTPRequestHandler):
    """Counts what it is asked to do."""

    done: list[str]

    def _do(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.done.append(self.command)
        body = b'{"answer": "' + b"x" * 1000 + b'"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _do

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    done: list[str] = []
    handler = type("Counting", (Server,), {"done": done})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}", done
        listener.shutdown()
        thread.join()


def met(server: str, plan: list[Planned], method: str) -> Any:
    """Make one request through the proxy; gives the answer, or the error of ours."""
    with (
        FaultyProxy(server, plan, patience=0.3) as proxy,
        open_client(
            proxy.url, "a" * 40, timeout=0.3, patience=Patience(first_pause=0.01, ceiling=0.5)
        ) as client,
    ):
        try:
            return read_json(client.request(method, "/api/things/7/"), dict)
        except LabelerError as error:
            return error
        finally:
            proxy.wait_for_all()
            assert proxy.happened == plan


def test_without_a_plan_everything_passes(server: tuple[str, list[str]]) -> None:
    assert "answer" in met(server[0], [], "POST")
    assert server[1] == ["POST"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_that_meets_a_fault_was_done_or_not_and_nobody_is_told_otherwise(
    server: tuple[str, list[str]], fault: str
) -> None:
    found = met(server[0], [Planned(WRITE, 1, fault)], "POST")
    assert isinstance(found, LabelerError | dict)
    # A 429 was not carried out, so it may be sent again, when there is time for that.
    if not fault.startswith("429"):
        assert len(server[1]) == (2 if fault == "delivered twice" else 0 if fault in NOT_DONE else 1)
    if server[1]:
        assert not isinstance(found, LabelerUnreachable), "it was done, and we say that nothing was changed"


@pytest.mark.parametrize("fault", ["never arrived", "500", "502", "answer late", "half a body"])
def test_a_read_is_tried_again_and_a_write_is_not(server: tuple[str, list[str]], fault: str) -> None:
    assert isinstance(met(server[0], [Planned(READ, 1, fault)], "GET"), dict)
    assert isinstance(met(server[0], [Planned(WRITE, 1, fault)], "POST"), OutcomeUnknown)
