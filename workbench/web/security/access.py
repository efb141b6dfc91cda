"""Dependencies that say who is asking and refuse those who may not: by key, by session, or by being here."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import Request

from workbench.domain.errors import WorkbenchError
from workbench.domain.roles import Role, Token
from workbench.storage.store import Store, Transaction
from workbench.web.desk import Desk, DeskHere
from workbench.web.refusals import Away, Forbidden, Refusal, SignInNeeded, Slower
from workbench.web.security.secrets import digest, forms_secret
from workbench.web.security.visitors import Visitor, host_of, is_loopback, port_of

COOKIE = "workbench_session"
BEARER = "Bearer "
CHALLENGE = {"WWW-Authenticate": "Bearer"}
LOCAL = "this machine"
T = TypeVar("T")
#: What proxies add: who asks is somewhere else, though the connection comes from here.
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def visitor_of(request: Request, desk: DeskHere) -> Visitor:
    """Who is asking.

    Raises:
        SignInNeeded: Nobody that is known.
        Forbidden: A page of somebody else asks through a browser on this machine.
        Slower: Too many wrong keys came from there.
    """
    key = request.headers.get("authorization", "")
    if key:
        return _by_key(desk, request, key)
    cookie = request.cookies.get(cookie_name(request))
    found = _by_cookie(desk, cookie) if cookie else None
    return found or _by_being_here(desk, request)


def still_may(request: Request, desk: Desk, visitor: Visitor) -> bool:
    """Whether somebody who came in a while ago would come in now, with the same rights."""
    try:
        return visitor_of(request, desk).role is visitor.role
    except Away:
        return True
    except Refusal:
        return False
    except WorkbenchError:
        # The database is away: nothing new is known of anybody.
        return True


def check_key(desk: Desk, address: str, secret: str) -> tuple[Store, Token]:
    """Find the token of a secret in any database that is served.

    Raises:
        Slower: Too many wrong keys came from that address.
        SignInNeeded: It opens nothing.
        Away: It may be in a database that can not be used now.
    """
    mark = digest(secret)
    wait = desk.limiter.wait(address, mark)
    if wait > 0:
        raise Slower(
            f"Too many wrong tokens. Try again in {wait:.0f} {'second' if wait < 1.5 else 'seconds'}.",
            headers={"Retry-After": str(int(wait) + 1)},
        )
    known = _first(desk, lambda tx: tx.tokens.find(mark))
    if known is not None:
        store, found = known
        desk.limiter.worked(address, mark)
        with store.read() as tx:
            stale = tx.tokens.is_stale(found)
        if stale:
            _note_use(store, found)
        return store, found
    desk.limiter.failed(address, mark)
    raise SignInNeeded("This token opens nothing: it is wrong, revoked or expired.", CHALLENGE)


def cookie_name(request: Request) -> str:
    """The cookie of this dashboard: browsers keep them by host alone, and another may be at the next port."""
    port = port_of(request.headers.get("host", ""))
    if port is None:
        # The standard one, or a proxy that leaves it away: then by where this process listens.
        port = (request.scope.get("server") or (None, None))[1]
    return COOKIE if port is None else f"{COOKIE}_{port}"


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def _by_key(desk: Desk, request: Request, header: str) -> Visitor:
    if not header.startswith(BEARER):
        raise SignInNeeded("Expected 'Authorization: Bearer' and a token.", CHALLENGE)
    store, token = check_key(desk, address_of(request), header.removeprefix(BEARER).strip())
    return Visitor(name=token.name, role=token.role, store=store)


def _by_cookie(desk: Desk, cookie: str) -> Visitor | None:
    secret = digest(cookie)
    known = _first(desk, lambda tx: tx.tokens.session(secret))
    if known is None:
        return None
    store, session = known
    token, csrf = session.token, forms_secret(cookie)
    return Visitor(name=token.name, role=token.role, store=store, csrf=csrf, session=secret)


def _first(desk: Desk, find: Callable[[Transaction], T | None]) -> tuple[Store, T] | None:
    """What the first database that knows it says: one that is away keeps nobody from the others."""
    away = False
    for store in desk.site.stores():
        try:
            with store.read() as tx:
                found = find(tx)
        except WorkbenchError:
            away = True
            continue
        if found is not None:
            return store, found
    if away or desk.site.wrong():
        raise Away("A database can not be used now, so nobody it knows can be let in. Try again in a moment.")
    return None


def _by_being_here(desk: Desk, request: Request) -> Visitor:
    if not desk.open_here or desk.site.has_tokens():
        raise SignInNeeded("Sign in with a token.", CHALLENGE)
    if not _is_here(request):
        # A name of somebody else that leads to this machine: a page of theirs must not read ours.
        raise Forbidden(
            "Without tokens the dashboard answers to http://127.0.0.1 and http://localhost alone, and to "
            "nobody through a proxy. Type `workbench token create NAME --role viewer` to open it to others."
        )
    return Visitor(name=LOCAL, role=desk.local_role, csrf=forms_secret(desk.local_key))


def _is_here(request: Request) -> bool:
    """Whether it was asked on this machine, by nobody's leave but its own."""
    headers = request.headers
    named = is_loopback(host_of(headers.get("host", "")))
    return named and is_loopback(address_of(request)) and not any(name in headers for name in PASSED_ON)


def _note_use(store: Store, token: Token) -> None:
    try:
        with store.begin() as tx:
            tx.tokens.used(token.id)
    except WorkbenchError:
        # Known an hour later; nobody is sent away for it.
        return


VisitorHere = Annotated[Visitor, Depends(visitor_of)]


def require(role: Role) -> Callable[[Visitor], Visitor]:
    """A dependency that gives the visitor, or refuses one who may not."""

    def checked(visitor: VisitorHere) -> Visitor:
        if not visitor.may(role):
            raise Forbidden(f"This takes the role {role}; the token '{visitor.name}' has {visitor.role}.")
        return visitor

    return checked


ViewerHere = Annotated[Visitor, Depends(require(Role.VIEWER))]
OperatorHere = Annotated[Visitor, Depends(require(Role.OPERATOR))]
AdminHere = Annotated[Visitor, Depends(require(Role.ADMIN))]
