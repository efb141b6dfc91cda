"""What the dashboard's process serves besides pages: pictures for annotators, and labelers' calls.

Neither asks who calls: pictures have names that nobody can guess, calls carry a secret.
"""

import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.steps.present import picture_name, picture_secret
from workbench.steps.push import HOOKS_PATH
from workbench.web.hooks import Hook, hook_app
from workbench.web.pictures import picture_app
from workbench.web.site import Place, Site

#: As `workbench run` wants it: a secret that is too easy opens nothing.
SHORTEST_SECRET = 16


@dataclass(slots=True, eq=False)
class ServedPictures:
    """Pictures of all projects: which one is meant follows from the name, by each project's secret."""

    site: Site
    _apps: dict[tuple[int, int, Path], ASGIApp] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the project that the name belongs to."""
        found = await run_in_threadpool(self._find, scope)
        await (found or PlainTextResponse("There is no such picture.", status_code=404))(scope, receive, send)

    def _find(self, scope: Scope) -> ASGIApp | None:
        given = str(scope["path_params"]["name"]).encode("utf-8", "surrogatepass")
        query = parse_qs(scope["query_string"].decode("latin-1"), errors="surrogateescape")
        key = query.get("item", [""])[0]
        fits = None
        for place in self.site.places():
            if place.settings is None:
                continue
            secret = picture_secret(place.settings.directory)
            expected = picture_name(secret, place.project.name, key).encode()
            # All are compared: how long it takes tells nothing.
            if hmac.compare_digest(expected, given):
                fits = self._app(place, secret)
        return fits

    def _app(self, place: Place, secret: bytes) -> ASGIApp:
        assert place.settings is not None
        name = (id(place.store), place.project.id, place.settings.directory)
        with self._lock:
            if name not in self._apps:
                self._apps[name] = picture_app(
                    place.store, place.project, secret, place.settings.picture_folders
                )
            return self._apps[name]


def routes_of(site: Site) -> Sequence[BaseRoute]:
    """The routes of what is served besides pages."""
    return (
        Route("/pictures/{name}", ServedPictures(site)),
        Route(HOOKS_PATH + "/{name}", hook_app(lambda: _hooks(site), _nobody), methods=["POST"]),
    )


def _hooks(site: Site) -> list[Hook]:
    return [
        Hook(store=place.store, project=place.project, secret=_hard(place.settings.webhook_secret))
        for place in site.places()
        if place.settings is not None
    ]


def _hard(secret: str | None) -> str | None:
    return secret if secret and len(secret) >= SHORTEST_SECRET else None


def _nobody() -> None:
    """Workers look into the database for calls that came."""
