"""Tokens, for those who hand them out: make one, see them, revoke them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workbench.domain.roles import Role, Token
from workbench.storage.store import Store
from workbench.web.desk import Desk, DeskHere
from workbench.web.refusals import Conflict, Wrong
from workbench.web.rendering import Crumb, Frame, Renderer
from workbench.web.security.access import AdminHere
from workbench.web.security.secrets import digest, new_secret
from workbench.web.security.visitors import Visitor

router = APIRouter(include_in_schema=False)
HERE = "/tokens"
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token in the list."""

    token: Token
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensPage:
    """Every token.

    Attributes:
        made: The name of one that was just made, and its secret: shown this once.
    """

    template: ClassVar[str] = "tokens.html"

    frame: Frame
    rows: tuple[TokenRow, ...]
    roles: tuple[Role, ...]
    made: tuple[str, str] | None = None


@router.get("/tokens")
def tokens(desk: DeskHere, visitor: AdminHere) -> HTMLResponse:
    """Every token of the visitor's database."""
    return _page(desk, visitor)


@router.post("/tokens")
def create(
    desk: DeskHere,
    visitor: AdminHere,
    name: Annotated[str, Form(max_length=LONGEST_NAME)],
    role: Annotated[Role, Form()],
    days: Annotated[str, Form(max_length=6)] = "",
) -> HTMLResponse:
    """Make a token and show its secret, this once."""
    secret = new_secret()
    clean = checked_name(name)
    with _store(desk, visitor).begin() as tx:
        expires = tx.now + timedelta(days=_days(days)) if days.strip() else None
        tx.tokens.create(clean, role, digest(secret), expires)
    return _page(desk, visitor, (clean, secret))


@router.post("/tokens/revoke")
def revoke(
    desk: DeskHere, visitor: AdminHere, name: Annotated[str, Form(max_length=LONGEST_NAME)]
) -> Response:
    """Let a token open nothing any more."""
    with _store(desk, visitor).begin() as tx:
        tx.tokens.revoke(name)
    return RedirectResponse(HERE, status_code=303)


def checked_name(name: str) -> str:
    """A name that can stand in the audit trail.

    Raises:
        Wrong: It is empty, too long, or holds what can not be seen.
    """
    clean = name.strip()
    if not clean or len(clean) > LONGEST_NAME or not clean.isprintable():
        raise Wrong(
            f"A token's name has 1 to {LONGEST_NAME} letters that can be seen, such as a person's name."
        )
    return clean


def _days(text: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text) <= 36_500:
        raise Wrong("Expected a number of days from 1 on, or nothing for a token that does not expire.")
    return int(text)


def _store(desk: Desk, visitor: Visitor) -> Store:
    """The database of the visitor's token; the only one there is, for somebody on this machine."""
    if visitor.store is not None:
        return visitor.store
    stores = desk.site.stores()
    if len(stores) != 1:
        raise Conflict(
            f"There are {len(stores)} databases here, each with tokens of its own. "
            "Type `workbench token create NAME --role admin --config FILE` for the one that is meant."
        )
    return stores[0]


def _page(desk: Desk, visitor: Visitor, made: tuple[str, str] | None = None) -> HTMLResponse:
    with _store(desk, visitor).read() as tx:
        now, found = tx.now, tx.tokens.all()
    crumbs = (Crumb(words="Projects", address="/"), Crumb(words="Tokens"))
    context = TokensPage(
        frame=Frame(title="Tokens", visitor=visitor, crumbs=crumbs),
        rows=tuple(TokenRow(token=each, good=each.opens(now)) for each in found),
        roles=tuple(Role),
        made=made,
    )
    return Renderer().page(context)
