"""Whatever goes wrong becomes a page or a JSON object in plain words; never a trace of the program."""

import logging
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.domain.errors import DatabaseAway, ProjectProblem, RoundProblem, WorkbenchError
from workbench.web.contexts import ErrorPage
from workbench.web.rendering import Frame, Renderer

API = "/api/"
#: Of addresses below a project: where the project is.
PROJECT = re.compile(r"/projects/[^/]+(?=/)")
PROBLEM = "application/problem+json"
TITLES = {
    400: "This request can not be read",
    401: "Sign in first",
    403: "This is not yours to do",
    404: "There is nothing here",
    405: "This can not be done here",
    408: "Too slow",
    409: "Not as things stand",
    413: "Too large",
    422: "This can not be used as it is",
    429: "Slower, please",
    500: "Something unforeseen happened",
    503: "The database is away",
}
PLAIN = {
    404: "The address leads nowhere: it may have been mistyped, or what it named is gone.",
    405: "This address does not take such a request.",
}
UNFORESEEN = "Nothing that was recorded is lost. Who runs the dashboard finds the reason in its log."
#: What a refusal of the product means to a browser.
STATUS: tuple[tuple[type[WorkbenchError], int], ...] = (
    (DatabaseAway, 503),
    (RoundProblem, 409),
    (ProjectProblem, 409),
    (WorkbenchError, 422),
)
log = logging.getLogger("workbench.web")


class NoTraces:
    """The outermost part: an error that nobody foresaw is logged, and answered in words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer it whatever happens."""
        begun = False

        async def noting(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if not isinstance(error, HTTPException):
                # As Python writes it: what stands in an address begins no line of its own in the log.
                log.exception("A request failed: %r", scope.get("path", ""))
            if begun or scope["type"] != "http":
                raise
            status = error.status_code if isinstance(error, HTTPException) else 500
            words = str(error.detail) if isinstance(error, HTTPException) else UNFORESEEN
            await explain(Request(scope), status, words)(scope, receive, send)


def explain_all(app: FastAPI) -> None:
    """Have every kind of error explained."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WorkbenchError, _ours)


def explain(request: Request, status: int, words: str, headers: Any = None) -> Response:
    """An answer that says what is wrong, as the reader can use it."""
    title = TITLES.get(status) or HTTPStatus(status).phrase
    # Words may repeat what was sent, and half a letter of it can not be sent back.
    words = words.encode("utf-8", "replace").decode()
    if wants_json(request):
        body = {"title": title, "status": status, "detail": words}
        return JSONResponse(body, status_code=status, headers=headers, media_type=PROBLEM)
    project = PROJECT.match(request.url.path)
    context = ErrorPage(
        frame=Frame(title=title), status=status, title=title, words=words, project=project and project[0]
    )
    return Renderer().page(context, status=status, headers=headers)


def wants_json(request: Request) -> bool:
    """Whether a program is asking."""
    accepts = request.headers.get("accept", "")
    return request.url.path.startswith(API) or "json" in accepts.partition(",")[0]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 401 and request.method == "GET" and not wants_json(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", status_code=303)
    standard = error.detail == _phrase(error.status_code)
    words = PLAIN.get(error.status_code, str(error.detail)) if standard else str(error.detail)
    return explain(request, error.status_code, words, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, fault['loc'][1:])) or 'body'}: {fault['msg']}" for fault in error.errors()]
    return explain(request, 422, "; ".join(faults[:10])[:1000])


async def _ours(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    return explain(request, status, str(error))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
