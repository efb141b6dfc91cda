"""Read no more of a request than any of ours needs."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.web.refusals import Refusal

LARGEST = 1_000_000


class TooLarge(Refusal):
    """A body beyond what any form or call needs."""

    status = 413


class SmallBodies:
    """Refuses what is declared too large, and stops reading what turns out to be."""

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
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST:
                raise TooLarge(words)
            return message

        await self._app(scope, counted, send)
