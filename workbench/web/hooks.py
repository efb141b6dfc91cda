"""Receive calls from a labeler that something changed, and have it read soon.

The labeler waits for the answer and gives up after a second, so the answer comes first and the work later. A
call says only that it is time to look: nothing in it is believed or kept. Calls that are lost, doubled or out
of order are harmless, since reading finds everything that changed.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.labelers.protocol import SECRET_HEADER
from workbench.domain.errors import WorkbenchError
from workbench.domain.records import Project
from workbench.steps.push import HOOKS_PATH
from workbench.storage.store import Store

LARGEST_BODY = 1_000_000
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A project that can be called; without a secret nobody can call it."""

    store: Store
    project: Project
    secret: str | None = field(repr=False)


class TooLarge(Exception):
    """A body beyond what a call needs."""


def hook_app(
    hooks: Callable[[], Sequence[Hook]], wake: Callable[[], None], *, patience: float = PATIENCE_SECONDS
) -> Starlette:
    """The application that labelers call, at ``/hooks/label-studio/`` and a project's uid or name.

    Args:
        hooks: Gives the projects that can be called now; asked at each call, in another thread.
        wake: Called after it was written down that a project is to be read, in another thread.
        patience: How many seconds a body may take to arrive.
    """
    nobody = secrets.token_hex()
    pending: set[tuple[int, int]] = set()

    async def called(request: Request) -> Response:
        # In a thread: a database that does not answer must not stop everything else that is served.
        hook = _find(await run_in_threadpool(hooks), str(request.path_params["name"]))
        expected = (hook.secret if hook else None) or nobody
        given = request.headers.get(SECRET_HEADER, "")
        if not _same(given, expected) or hook is None:
            return _answer(401, "The secret is missing or wrong.")
        refusal = await _refuse_body(request, patience)
        return refusal or _later(hook, wake, pending)

    return Starlette(routes=[Route(HOOKS_PATH + "/{name}", called, methods=["POST"])])


def _find(hooks: Sequence[Hook], name: str) -> Hook | None:
    by_name = {hook.project.name: hook for hook in hooks}
    return {**by_name, **{hook.project.uid: hook for hook in hooks}}.get(name)


def _same(given: str, expected: str) -> bool:
    """Compare in a time that depends neither on how much is right nor on the lengths."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def _refuse_body(request: Request, patience: float) -> Response | None:
    """Read the body, not further than the limit, and say what is wrong with it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        _check_declared(request)
        if kind != "application/json":
            return _answer(415, "Expected application/json.")
        async with asyncio.timeout(patience):
            body = await _read(request)
    except TooLarge:
        return _answer(413, f"Expected {LARGEST_BODY} bytes at most.")
    except TimeoutError:
        return _answer(408, "The body did not arrive in time.")
    except ClientDisconnect:
        return _answer(400, "The call ended before its body did.")
    return None if _is_object(body) else _answer(400, "Expected a JSON object.")


def _check_declared(request: Request) -> None:
    declared = request.headers.get("content-length", "")
    # Longer than any size there is: not even turned into a number.
    if declared.isdecimal() and (len(declared) > 20 or int(declared) > LARGEST_BODY):
        raise TooLarge


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise TooLarge
    return bytes(body)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _later(hook: Hook, wake: Callable[[], None], pending: set[tuple[int, int]]) -> Response:
    """Answer, then note the call; calls that come before it is noted are one."""
    key = (id(hook.store), hook.project.id)
    if key in pending:
        return _answer(202, "Noted.")
    pending.add(key)

    def note() -> None:
        pending.discard(key)
        try:
            with hook.store.begin() as tx:
                tx.projects.wake(hook.project.id)
        except WorkbenchError:
            # As if the call had been lost: reading by the clock finds what it was about.
            return
        wake()

    return _answer(202, "Noted.", BackgroundTask(note))


def _answer(status: int, words: str, background: BackgroundTask | None = None) -> Response:
    return PlainTextResponse(words, status_code=status, background=background)
