"""Serve the pool's pictures to annotators' browsers, under names that nobody can guess.

Label Studio's pages fetch pictures by script, so every answer carries leave for other origins. Only items
that are in the database can be asked for, each under the name that the secret gives it, and only from the
folders of the pool.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.errors import SourceError
from workbench.domain.records import Project
from workbench.steps.present import picture_name
from workbench.storage.store import Store
from workbench.web.showing import SAFE, Showing, pool_folders

HEADERS = {**SAFE, "Cache-Control": "private, max-age=3600"}


def picture_app(store: Store, project: Project, secret: bytes, folders: Sequence[Path] = ()) -> Starlette:
    """The application that annotators' browsers ask.

    Args:
        folders: Where pictures may lie besides the folders of the pool.
    """
    showing = Showing()

    def picture(request: Request) -> Response:
        key = request.query_params.get("item", "")
        expected = picture_name(secret, project.name, key)
        given = str(request.path_params["name"])
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
            return _nothing()
        with store.read() as tx:
            item = tx.pool.by_key(project.id, [key]).get(key)
            allowed = (*pool_folders(tx, project), *folders)
        if item is None:
            return _nothing()
        try:
            # Whoever labels sees what is there: a file that was written anew is the labeler's to judge.
            found = showing.show(item, allowed, exact=False)
        except SourceError:
            return _nothing()
        return Response(found.content, media_type=found.kind, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/pictures/{name}", picture),
            Route("/health", lambda _request: PlainTextResponse("ok")),
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])],
    )


def _nothing() -> Response:
    return PlainTextResponse("There is no such picture.", status_code=404, headers=HEADERS)
