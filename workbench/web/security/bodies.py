"""Read no more of a request than any of ours needs, and wait no longer for it."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.web.refusals import Refusal

LARGEST = 1_000_000
#: For the whole body: whoever sends it drop by drop holds nothing for long.
PATIENCE_SECONDS = 30.0


class TooLarge(Refusal):
    """A body beyond what any form or call needs."""

    status = 413


class TooSlow(Refusal):
    """A body that does not come."""

    status = 408


class SmallBodies:
    """Refuses what is declared too large, and stops reading what turns out to be, or does not come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as long as it is small."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        words = f"What was sent is too large: expected {LARGEST:,} bytes at most."
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        # Longer than any size there is: not even turned into a number.
        if not declared.isdigit() or len(declared) > 20 or int(declared) > LARGEST:
            raise TooLarge(words)
        body = _Body(receive, words)
        await self._app(scope, body.receive, send)


class _Body:
    """What has come of a body so far."""

    def __init__(self, receive: Receive, words: str) -> None:
        self._receive = receive
        self._words = words
        self._seen = 0
        self._until: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """The next piece. After the last one waiting is for the end of the connection, however long."""
        if self._whole:
            return await self._receive()
        message = await self._in_time()
        self._seen += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._seen > LARGEST:
            raise TooLarge(self._words)
        return message

    async def _in_time(self) -> Message:
        self._until = self._until or asyncio.get_running_loop().time() + PATIENCE_SECONDS
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError as error:
            raise TooSlow(f"What was sent did not arrive within {PATIENCE_SECONDS:.0f} seconds.") from error
