"""The one HTTP client that everything for Label Studio goes through, the vendor's SDK included.

What comes out is an answer below 300 or one of our errors. Both kinds of key work: a legacy token is
sent as it is; a personal access token buys an access token that lives five minutes and is renewed.
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final, TypeVar

import httpx

from connectors.errors import ConnectorError, LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.retry import (
    SERVER_FAULT,
    TOO_MANY_REQUESTS,
    Patience,
    failed_request,
    retry_after,
    send_patiently,
)

KEY_VARIABLE: Final = "LABEL_STUDIO_API_KEY"
URL_VARIABLE: Final = "LABEL_STUDIO_URL"
#: An access token lives 300 s; it is renewed this long before its end.
RENEW_BEFORE: Final = 60.0
ACCESS_TOKEN_LIFE: Final = 300.0
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
T = TypeVar("T")
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Refusal(LabelerRefused):
    """A refusal together with what the server said, which stays out of the message."""

    def __init__(self, message: str, *, status: int, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


class LabelStudioAuth(httpx.Auth):
    """Puts the right ``Authorization`` header on each request and renews access tokens."""

    requires_response_body = True

    def __init__(self, url: str, key: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._refresh_url = f"{url}/api/token/refresh/"
        self._key = key
        self._clock = clock
        self._personal = is_personal_token(key)
        self._access = ""
        self._renew_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; with a personal token also renew, and once more after a 401."""
        if not self._personal:
            request.headers["Authorization"] = f"Token {self._key}"
            yield request
            return
        if self._clock() >= self._renew_at:
            self._keep((yield self._refresh_request()))
        request.headers["Authorization"] = f"Bearer {self._access}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._keep((yield self._refresh_request()))
            request.headers["Authorization"] = f"Bearer {self._access}"
            yield request

    def _refresh_request(self) -> httpx.Request:
        return httpx.Request(
            "POST", self._refresh_url, json={"refresh": self._key}, extensions={"repeatable": True}
        )

    def _keep(self, response: httpx.Response) -> None:
        raise_for_status(response)
        self._access = str(read_json(response, dict)["access"])
        self._renew_at = self._clock() + ACCESS_TOKEN_LIFE - RENEW_BEFORE


class LabelStudioClient(httpx.Client):
    """An ``httpx.Client`` that is patient and whose every failure is one of our errors."""

    def __init__(self, *, patience: Patience | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience or Patience()

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send the request; an answer of 300 or more becomes an error."""
        send = partial(super().send, **options)
        try:
            response = send_patiently(send, request, self._patience)
        except httpx.HTTPError as error:
            raise lost(error, request) from error
        raise_for_status(response)
        if "/api/" in request.url.path and response.content and not is_api_answer(response):
            raise not_label_studio(response)
        return response


def open_client(
    url: str,
    key: str,
    *,
    timeout: float,
    transport: httpx.BaseTransport | None = None,
    patience: Patience | None = None,
) -> LabelStudioClient:
    """Open a client for a server and a key; ``transport`` replaces the network in tests."""
    url = server_root(url)
    return LabelStudioClient(
        base_url=url,
        auth=LabelStudioAuth(url, checked_key(key)),
        timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
        transport=transport,
        patience=patience,
    )


def server_root(url: str) -> str:
    """Check an address and drop what follows the last path segment.

    Raises:
        LabelerRefused: The address is not one of a web server.
    """
    root = url.strip().rstrip("/")
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", root):
        raise LabelerRefused(
            "The address of Label Studio must look like http://host:8080, without a user name or a query. "
            f"Check {URL_VARIABLE}."
        )
    return root


def checked_key(key: str) -> str:
    """Refuse a key that can not travel in a header."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise LabelerRefused(
            f"The key for Label Studio is empty or holds characters that no key has. Set {KEY_VARIABLE} "
            "to the token shown in Label Studio under Account & Settings."
        )
    return key


def is_personal_token(key: str) -> bool:
    """Say whether a key is a personal access token (a signed JSON token), not a legacy token."""
    parts = key.split(".")
    if len(parts) != 3:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(header, dict) and "alg" in header


def lost(error: httpx.HTTPError, request: httpx.Request) -> ConnectorError:
    """Say what a failure of the connection means: nothing happened, or nobody knows."""
    sent = failed_request(error, request)
    what = f"{type(error).__name__} while asking Label Studio at {place(sent.url)}"
    if isinstance(error, NEVER_SENT) or is_read(sent):
        return LabelerUnreachable(
            f"{what}. Expected a running server: start it, or check {URL_VARIABLE}, then try again."
        )
    return OutcomeUnknown(f"{what}: the request was sent and its answer was lost. Look before sending again.")


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
    if httpx.codes.is_client_error(status) and status != TOO_MANY_REQUESTS and not is_api_answer(response):
        raise not_label_studio(response)
    raise Refusal(explain(response, where), status=status, detail=detail_of(response))


def server_fault(response: httpx.Response, where: str) -> ConnectorError:
    """Say what a 5xx means: a read may be tried later, a write may have happened."""
    found = f"Label Studio at {where} answered with its own failure (HTTP {response.status_code})"
    if is_read(response.request):
        return LabelerUnreachable(f"{found}. Nothing was changed: try again later, or read its log.")
    return OutcomeUnknown(f"{found} to a write that may have happened. Look before sending again.")


def explain(response: httpx.Response, where: str) -> str:
    """Say in our words what a refusal means and what to do."""
    status, path = response.status_code, response.request.url.path
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return unauthorized(response, where)
    if status == TOO_MANY_REQUESTS:
        wait = retry_after(response)
        return f"Label Studio at {where} asks to wait {f'{wait:.0f} s' if wait else 'a while'} (HTTP 429)."
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
    except ValueError:
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


def read_json(response: httpx.Response, expected: type[T]) -> T:
    """Read an answer's JSON and check its outermost kind.

    Raises:
        LabelerRefused: The answer is a web page or another kind of JSON.
    """
    body = _body(response)
    if not isinstance(body, expected):
        raise not_label_studio(response)
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
