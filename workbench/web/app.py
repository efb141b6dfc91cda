"""The dashboard's application: pages, JSON API, pictures for annotators, calls from labelers."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Security
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from workbench.domain.roles import Role
from workbench.web.api import acting as acting_api
from workbench.web.api import reading
from workbench.web.api.problems import PROBLEMS, bearer
from workbench.web.crowd import ALIVE, NobodyWaitsForever
from workbench.web.desk import Desk
from workbench.web.errors import NoTraces, explain_all
from workbench.web.pages import (
    acting,
    budget,
    items,
    log,
    overview,
    panels,
    pictures,
    projects,
    rounds,
    signing,
    tokens,
    watching,
)
from workbench.web.security.access import require
from workbench.web.security.bodies import SmallBodies
from workbench.web.security.forms import check_form
from workbench.web.security.headers import SafeHeaders
from workbench.web.security.texts import check_address

STATIC = Path(__file__).parent / "static"
#: For everybody: nothing is in them.
OPEN: Sequence[APIRouter] = (signing.router,)
#: For those who have signed in; each route may ask for more.
GUARDED: Sequence[APIRouter] = (
    projects.router,
    overview.router,
    panels.router,
    rounds.router,
    items.router,
    log.router,
    tokens.router,
    watching.router,
    acting.router,
    budget.router,
    pictures.router,
)
#: The same for programs.
API: Sequence[APIRouter] = (reading.router, acting_api.router)


def create_app(desk: Desk, *, more: Sequence[BaseRoute] = ()) -> FastAPI:
    """Build the application.

    Args:
        more: Routes of applications that look after themselves.
    """
    app = FastAPI(
        title="Workbench",
        version=version("active-labeling-workbench"),
        description="Budget reports, rounds, items and the audit trail of labeling projects.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        middleware=[
            Middleware(SafeHeaders),
            Middleware(NoTraces),
            Middleware(NobodyWaitsForever),
            Middleware(SmallBodies),
        ],
    )
    app.state.desk = desk
    explain_all(app)
    guard = [Depends(require(Role.VIEWER)), Depends(check_form), Depends(check_address)]
    for router in OPEN:
        app.include_router(router)
    for router in GUARDED:
        app.include_router(router, dependencies=guard)
    for router in API:
        app.include_router(router, dependencies=[Security(bearer), *guard], responses=PROBLEMS)
    app.add_api_route(ALIVE, _health, include_in_schema=False)
    # Compressed here alone: pages hold secrets, whose length must not tell of them.
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC)), name="static")
    app.router.routes.extend(more)
    return app


async def _health() -> PlainTextResponse:
    # In no thread: whoever watches this process learns that it lives, whatever a database does.
    return PlainTextResponse("ok")
