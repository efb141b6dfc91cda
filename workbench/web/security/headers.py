"""What every answer carries, errors included: nothing from elsewhere is loaded, run, framed or told."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not 'no-referrer': with it browsers send the origin of our own forms as 'null'.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
#: Not for pictures under their secret names: pages of Label Studio show those.
OWN = {"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"}
#: Their addresses change with their content.
STATIC = {**OWN, "Cache-Control": "public, max-age=604800"}


class SafeHeaders:
    """Adds the headers that an answer does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with its headers back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = {**ALWAYS, **_more(scope["path"])}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _more(path: str) -> Mapping[str, str]:
    if path.startswith("/pictures/"):
        return {}
    return STATIC if path.startswith("/static/") else OWN
