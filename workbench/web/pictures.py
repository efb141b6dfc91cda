"""Serve the pool's pictures to annotators' browsers, under names that nobody can guess.

Label Studio's pages fetch pictures by script, so every answer carries leave for other origins. Only items
that are in the database can be asked for, each under the name that the secret gives it.
"""

import hmac
import mimetypes
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from workbench.domain.records import Project
from workbench.steps.present import picture_name
from workbench.storage.store import Store

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
#: What every browser shows.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})


def picture_app(store: Store, project: Project, secret: bytes) -> Starlette:
    """The application behind ``workbench serve``."""

    def picture(request: Request) -> Response:
        key = request.query_params.get("item", "")
        expected = picture_name(secret, project.name, key)
        given = str(request.path_params["name"])
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
            return _nothing()
        with store.read() as tx:
            item = tx.pool.by_key(project.id, [key]).get(key)
        path = Path(item.payload["path"]) if item and "path" in item.payload else None
        return _file(path) if path and path.is_file() else _nothing()

    return Starlette(
        routes=[
            Route("/pictures/{name}", picture),
            Route("/health", lambda _request: PlainTextResponse("ok")),
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])],
    )


def _nothing() -> Response:
    return PlainTextResponse("There is no such picture.", status_code=404, headers=HEADERS)


def _file(path: Path) -> Response:
    kind = mimetypes.guess_type(path.name)[0]
    if kind in SHOWN:
        return FileResponse(path, media_type=kind, headers=HEADERS)
    from connectors.labelers.pictures import as_png

    return Response(as_png(path), media_type="image/png", headers=HEADERS)
