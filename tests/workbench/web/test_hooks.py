"""Whoever calls is known or sent away, nothing is read further than needed, and the work is done later."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.labelers.embedded import EmbeddedLabeler
from tests.benchmarks.sync_cases import make_parts
from workbench.domain.errors import DatabaseProblem
from workbench.domain.records import LabelerLink
from workbench.storage.store import Store, open_store
from workbench.web.hooks import LARGEST_BODY, Hook, hook_app

SECRET = "a secret of some length"
BODY = b'{"action": "ANNOTATION_CREATED"}'
HEADERS = {"X-Workbench-Secret": SECRET, "Content-Type": "application/json"}
NAME = "Zürich / 猫"


@dataclass
class Desk:
    """A receiver, and what it did."""

    store: Store
    hook: Hook
    woken: list[str] = field(default_factory=list)
    patience: float = 5.0

    @property
    def app(self) -> Any:
        return hook_app(lambda: [self.hook], lambda: self.woken.append("woken"), patience=self.patience)

    @property
    def path(self) -> str:
        return f"/hooks/label-studio/{self.hook.project.uid}"

    def call(self, path: str | None = None, **changes: Any) -> httpx.Response:
        request = {"content": BODY, "headers": HEADERS} | changes
        method = request.pop("method", "POST")

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                return await client.request(method, path or self.path, **request)

        return asyncio.run(ask())

    @property
    def noted(self) -> bool:
        with self.store.read() as tx:
            link = tx.projects.link(self.hook.project.id, "embedded")
        return link is not None and link.woken_at is not None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A project whose labeler is known."""
    store = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    store.upgrade()
    with EmbeddedLabeler() as labeler:
        project = make_parts(store, labeler, tmp_path, name=NAME).project
    with store.begin() as tx:
        tx.projects.save_link(project.id, LabelerLink(labeler="embedded", external_id="1", url=""))
    yield Desk(store, Hook(store=store, project=project, secret=SECRET))
    store.close()


def test_a_call_is_noted_and_wakes(desk: Desk) -> None:
    assert desk.call().status_code == 202
    assert (desk.noted, desk.woken) == (True, ["woken"])


def test_a_project_may_be_called_by_its_name_unless_a_slash_is_in_it(desk: Desk) -> None:
    assert desk.call(f"/hooks/label-studio/{quote(NAME, safe='')}").status_code in (202, 404)
    assert desk.call(f"/hooks/label-studio/{quote('Zürich')}").status_code == 401


@pytest.mark.parametrize("given", ["", "wrong", SECRET[:-1], SECRET + "x", "é" * 23])
def test_a_forged_call_is_sent_away_unread(desk: Desk, given: str) -> None:
    read = Counting(desk)
    status = read.call({**HEADERS, "X-Workbench-Secret": given}, size=LARGEST_BODY)
    assert (status, read.bytes, desk.noted, desk.woken) == (401, 0, False, [])


def test_nobody_learns_which_projects_there_are(desk: Desk) -> None:
    missing = desk.call("/hooks/label-studio/nothing")
    forged = desk.call(headers={**HEADERS, "X-Workbench-Secret": "forged"})
    assert (missing.status_code, missing.text) == (forged.status_code, forged.text) == (401, forged.text)
    assert desk.call("/hooks").status_code == 404


def test_without_a_secret_nobody_can_call(desk: Desk) -> None:
    for secret in (None, ""):
        desk.hook = Hook(store=desk.store, project=desk.hook.project, secret=secret)
        for shown in ("", "None"):
            assert desk.call(headers={**HEADERS, "X-Workbench-Secret": shown}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_posting_is_a_call(desk: Desk, method: str) -> None:
    assert desk.call(method=method).status_code == 405
    assert not desk.noted


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "", "application/jsonp"])
def test_only_json_is_read(desk: Desk, kind: str) -> None:
    assert desk.call(headers={**HEADERS, "Content-Type": kind}).status_code == 415


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a": NaN'])
def test_only_an_object_is_a_call(desk: Desk, body: bytes) -> None:
    assert desk.call(content=body).status_code == 400
    assert not desk.noted


class Counting:
    """Sends a body in parts, and counts how many bytes were asked for."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.bytes = 0

    def call(self, headers: dict[str, str], *, size: int, pause: float = 0.0) -> int:
        sent: list[dict[str, Any]] = []
        parts = iter([b"x" * 65_536] * (size // 65_536 + 1))

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(pause)
            part = next(parts, None)
            self.bytes += len(part or b"")
            return {"type": "http.request", "body": part or b"", "more_body": part is not None}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": self.desk.path,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "query_string": b"",
        }
        asyncio.run(self.desk.app(scope, receive, send))
        return int(sent[0]["status"])


@pytest.mark.parametrize("declared", [None, "10", str(10_000_000), "9" * 5000])
def test_ten_megabytes_are_not_read_whatever_was_declared(desk: Desk, declared: str | None) -> None:
    reading = Counting(desk)
    headers = HEADERS | ({"Content-Length": declared} if declared else {"Transfer-Encoding": "chunked"})
    assert reading.call(headers, size=10_000_000) == 413
    assert reading.bytes <= LARGEST_BODY + 65_536
    assert not desk.noted


def test_a_body_that_does_not_come_is_not_waited_for(desk: Desk) -> None:
    desk.patience = 0.05
    assert Counting(desk).call(HEADERS, size=10_000, pause=30) == 408


def test_a_caller_that_hangs_up_does_no_harm(desk: Desk) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"a": 1'
        raise ConnectionError

    with pytest.raises(ConnectionError):
        desk.call(content=broken())
    assert not desk.noted


def test_the_answer_does_not_wait_for_a_locked_database(desk: Desk) -> None:
    """The answer is out before the first thing is asked of the database."""
    order: list[str] = []
    real = desk.store.begin

    class Watched:
        def begin(self) -> Any:
            order.append("database")
            return real()

    desk.hook = Hook(store=Watched(), project=desk.hook.project, secret=SECRET)  # type: ignore[arg-type]

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            order.append("answered")

    _raw(desk.app, desk.path, send)
    assert order == ["answered", "database"]
    assert desk.noted


def test_a_call_that_can_not_be_noted_is_as_if_it_was_lost(desk: Desk) -> None:
    class Locked:
        def begin(self) -> Any:
            raise DatabaseProblem("locked")

    desk.hook = Hook(store=Locked(), project=desk.hook.project, secret=SECRET)  # type: ignore[arg-type]
    assert desk.call().status_code == 202
    assert (desk.noted, desk.woken) == (False, [])


def test_a_database_that_does_not_answer_stops_nothing_else_that_is_served(desk: Desk) -> None:
    frozen = threading.Event()

    def hooks() -> list[Hook]:
        frozen.wait(20)
        return [desk.hook]

    app = hook_app(hooks, lambda: None)

    async def call() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            calling = asyncio.create_task(client.post(desk.path, content=BODY, headers=HEADERS))
            # Only a loop that is not held up comes to the next line.
            await asyncio.sleep(0.01)
            assert not calling.done()
            frozen.set()
            return (await calling).status_code

    assert asyncio.run(call()) == 202


def test_doubled_calls_are_answered_and_noted_together(desk: Desk) -> None:
    app = desk.app

    async def flood() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            calls = [client.post(desk.path, content=BODY, headers=HEADERS) for _ in range(50)]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert set(asyncio.run(flood())) == {202}
    assert desk.noted
    assert 1 <= len(desk.woken) <= 50
    assert desk.call().status_code == 202, "a call that comes after the note is noted again"


@given(body=st.binary(max_size=200), path=st.text(max_size=20), kind=st.text(max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_breaks_it(desk: Desk, body: bytes, path: str, kind: str) -> None:
    address = f"/hooks/label-studio/{quote(path, safe='', errors='replace')}"
    headers = {**HEADERS, "Content-Type": kind.encode("utf-8", "replace").hex()}
    for where in (address, desk.path):
        for shown in (headers, HEADERS):
            status = desk.call(where, content=body, headers=shown).status_code
            assert status < 500
            assert (status == 202) == (where == desk.path and shown is HEADERS and _is_object(body))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _raw(app: Any, path: str, send: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()],
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
