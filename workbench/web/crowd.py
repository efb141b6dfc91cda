"""Where all hands are busy whoever comes is told so in seconds, and does not wait with the others."""

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.web.refusals import Away

#: Whoever watches the process asks here.
ALIVE = "/health"
PATIENCE_SECONDS = 5.0


class NobodyWaitsForever:
    """Lets a request in when a thread is free for it: those that wait for a database may wait for long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it after a while."""
        if scope["type"] == "http" and scope["path"] != ALIVE:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await run_in_threadpool(_nothing)
            except TimeoutError as error:
                raise Away(
                    "Too much is asked for at once, or a database that is served does not answer. "
                    "Try again in a moment."
                ) from error
        await self._app(scope, receive, send)


def _nothing() -> None:
    """A thread is free."""
