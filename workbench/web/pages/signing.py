"""Sign in with a token, and out again."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workbench.storage.store import Store
from workbench.web.contexts import SignInPage
from workbench.web.desk import Desk, DeskHere
from workbench.web.refusals import Refusal
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import address_of, check_key, cookie_name
from workbench.web.security.forms import check_origin
from workbench.web.security.secrets import digest, new_secret

LASTS = timedelta(hours=12)
HOME = "/"
router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(next: str = HOME) -> HTMLResponse:  # noqa: A002  # as it is called in addresses everywhere
    """The form."""
    return _form(next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    desk: DeskHere,
    token: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,  # noqa: A002
) -> Response:
    """Exchange a token for a session: always a new one, whatever cookie came along."""
    check_origin(request)
    try:
        store, found = check_key(desk, address_of(request), token.strip())
    except Refusal as refusal:
        return _form(next, refusal)
    cookie = new_secret()
    _forget(desk, request.cookies.get(cookie_name(request)))
    with store.begin() as tx:
        tx.tokens.open_session(found.id, digest(cookie), tx.now + LASTS)
        tx.tokens.used(found.id)
    answer = RedirectResponse(local(next), status_code=303)
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, desk: DeskHere) -> Response:
    """End the session. Its cookie is proof enough: it never comes from another site's form."""
    check_origin(request)
    _forget(desk, request.cookies.get(cookie_name(request)))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(cookie_name(request), httponly=True, samesite="lax")
    return answer


def local(goal: str) -> str:
    """An address of ours, whatever was asked for."""
    ours = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
    return goal if ours and "\\" not in goal else HOME


def _forget(desk: Desk, cookie: str | None) -> None:
    if cookie is None:
        return
    for store in desk.site.stores():
        _close(store, digest(cookie))


def _close(store: Store, session: str) -> None:
    with store.begin() as tx:
        tx.tokens.close_session(session)


def _form(goal: str, refusal: Refusal | None = None) -> HTMLResponse:
    context = SignInPage(
        frame=Frame(title="Sign in"), goal=local(goal), problem=str(refusal.detail) if refusal else None
    )
    status = refusal.status_code if refusal else 200
    return Renderer().page(context, status=status, headers=dict(refusal.headers or {}) if refusal else None)
