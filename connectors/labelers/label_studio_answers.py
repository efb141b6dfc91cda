"""What Label Studio's answers mean: a refusal, a failure to try again later, or nobody knows.

The server's own words stay out of every message.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx

from connectors.errors import ConnectorError, LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.retry import SERVER_FAULT, TOO_MANY_REQUESTS, retry_after

KEY_VARIABLE: Final = "LABEL_STUDIO_API_KEY"
URL_VARIABLE: Final = "LABEL_STUDIO_URL"
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
T = TypeVar("T")


class Refusal(LabelerRefused):
    """A refusal together with what the server said, which stays out of the message."""

    def __init__(self, message: str, *, status: int, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


def is_read(request: httpx.Request) -> bool:
    """Say whether a request changes nothing; buying an access token counts as reading."""
    return request.method in READS or request.url.path.endswith("/api/token/refresh/")


def raise_for_status(response: httpx.Response) -> None:
    """Turn an answer of 300 or more into the error it stands for."""
    status = response.status_code
    if status < httpx.codes.MULTIPLE_CHOICES or (
        response.is_redirect and response.request.extensions.get("redirect")
    ):
        return
    response.read()
    where = place(response.request.url)
    if status >= SERVER_FAULT:
        raise server_fault(response, where)
    if status == TOO_MANY_REQUESTS:
        raise too_many(response, where)
    if httpx.codes.is_client_error(status) and not is_api_answer(response):
        raise not_label_studio(response)
    raise Refusal(explain(response, where), status=status, detail=detail_of(response))


def server_fault(response: httpx.Response, where: str) -> ConnectorError:
    """Say what a 5xx means: a read may be tried later, a write may have happened."""
    found = f"Label Studio at {where} answered with its own failure (HTTP {response.status_code})"
    if is_read(response.request):
        return LabelerUnreachable(f"{found}. Nothing was changed: try again later, or read its log.")
    return OutcomeUnknown(f"{found} to a write that may have happened. Look before sending again.")


def too_many(response: httpx.Response, where: str) -> LabelerUnreachable:
    """Say how long the server asks to wait; it has done nothing of what it was asked."""
    wait = retry_after(response)
    return LabelerUnreachable(
        f"Label Studio at {where} asks to wait {f'{wait:.0f} s' if wait else 'a while'} (HTTP 429).",
        retry_after=wait,
    )


def explain(response: httpx.Response, where: str) -> str:
    """Say in our words what a refusal means and what to do."""
    status, path = response.status_code, response.request.url.path
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return unauthorized(response, where)
    if status < httpx.codes.BAD_REQUEST:
        return f"{where} redirects {path} elsewhere. Set {URL_VARIABLE} to where Label Studio really is."
    fields = faulty_fields(response)
    return (
        f"Label Studio at {where} refused {path} (HTTP {status}{', because of ' + fields if fields else ''})."
    )


def unauthorized(response: httpx.Response, where: str) -> str:
    """Name the cause of a 401 or 403 as far as the server tells it."""
    if "legacy token authentication has been disabled" in detail_of(response):
        return (
            f"Label Studio at {where} has legacy tokens switched off. Set {KEY_VARIABLE} to a personal "
            "access token (Account & Settings), or switch legacy tokens on (Organization, "
            "Access Token Settings)."
        )
    return (
        f"Label Studio at {where} does not accept the key (HTTP {response.status_code}). "
        f"Check {KEY_VARIABLE}: it holds a legacy token or a personal access token of a user of that server."
    )


def is_api_answer(response: httpx.Response) -> bool:
    """Say whether an answer is JSON, as all of Label Studio's own API answers are."""
    return "json" in response.headers.get("content-type", "")


def _body(response: httpx.Response) -> Any:
    try:
        return response.json() if is_api_answer(response) else None
    except (ValueError, RecursionError):
        return None


def detail_of(response: httpx.Response) -> str:
    """Take the server's own words out of a refusal, for our eyes only."""
    body = _body(response)
    return json.dumps(body, ensure_ascii=False) if body is not None else ""


def faulty_fields(response: httpx.Response) -> str:
    """Name the fields that the server found fault with."""
    body = _body(response)
    errors = body.get("validation_errors") if isinstance(body, dict) else None
    return ", ".join(sorted(str(key) for key in errors)) if isinstance(errors, dict) else ""


def readable(response: httpx.Response) -> bool:
    """Say whether an answer is of Label Studio's API; one to a write is read to its end, to be sure."""
    return is_api_answer(response) and (is_read(response.request) or _body(response) is not None)


def unreadable(response: httpx.Response) -> ConnectorError:
    """Say what an answer that can not be read means: to a write, that nobody knows what became of it."""
    if is_read(response.request):
        return not_label_studio(response)
    where = place(response.request.url)
    return OutcomeUnknown(
        f"{where} answered a write with something that is not Label Studio's. Look before sending again."
    )


def read_json(response: httpx.Response, expected: type[T]) -> T:
    """Read an answer's JSON and check its outermost kind.

    Raises:
        LabelerRefused: The answer is a web page or another kind of JSON.
    """
    body = _body(response)
    if not isinstance(body, expected):
        raise not_label_studio(response)
    return body


def fields_of(response: httpx.Response) -> dict[str, Any]:
    """Read the object that answers a write; where it is none, the write may have happened all the same.

    Raises:
        OutcomeUnknown: The answer is something else.
    """
    body = _body(response)
    if not isinstance(body, dict):
        raise unreadable(response)
    return body


def not_label_studio(response: httpx.Response) -> Refusal:
    """Say that something else answers at the address."""
    url = response.request.url
    return Refusal(
        f"{place(url)} answered {url.path} (HTTP {response.status_code}) with something that is not Label "
        f"Studio's. Check {URL_VARIABLE}: it is the address that opens Label Studio, such as http://host:8080.",
        status=response.status_code,
    )


def place(url: httpx.URL) -> str:
    """Write the address of a server without path, user or query."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def position_at_fault(refusal: Refusal) -> int | None:
    """Find which of several items of a request the server names, counted from 0."""
    found = re.search(r"Error at item (\d+)", refusal.detail)
    return int(found[1]) if found else None


@contextmanager
def understood() -> Iterator[None]:
    """Around calls of the vendor's SDK, which breaks in ways of its own over an unexpected answer.

    Raises:
        OutcomeUnknown: The request was sent, and the answer can not be read: as if it had been lost.
    """
    try:
        yield
    except ConnectorError:
        raise
    except Exception as error:
        raise OutcomeUnknown(
            f"Label Studio's answer can not be read ({type(error).__name__}), and the request was sent. "
            "Look before sending again."
        ) from error
