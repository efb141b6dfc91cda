"""Refuse what a page of somebody else has a browser send: every unsafe method must prove that it is ours."""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from workbench.web.refusals import Forbidden
from workbench.web.security.access import VisitorHere

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "x-csrf-token"
FIELD = "csrf"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
STRANGER = "This was not sent by a page of the dashboard. Open the page again and repeat it there."


async def check_form(request: Request, visitor: VisitorHere) -> None:
    """The dependency of all routes: unsafe methods carry the secret of the visitor's pages.

    Raises:
        Forbidden: They do not, or the browser says that another page sent them.
    """
    if request.method in SAFE or visitor.csrf is None:
        return
    check_origin(request)
    given = request.headers.get(HEADER)
    if given is None and request.headers.get("content-type", "").startswith(FORMS):
        found = (await request.form()).get(FIELD)
        given = found if isinstance(found, str) else None
    if given is None or not hmac.compare_digest(given.encode("utf-8", "replace"), visitor.csrf.encode()):
        raise Forbidden(
            "The form is older than your session, or was not made by the dashboard. "
            "Open the page again and repeat it there."
        )


def check_origin(request: Request) -> None:
    """Believe what browsers say of where a request comes from; programs say nothing.

    Raises:
        Forbidden: It comes from a page of somebody else.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        if site != "same-origin":
            raise Forbidden(STRANGER)
    elif origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden(STRANGER)
