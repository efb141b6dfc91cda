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
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx

from connectors.errors import ConnectorError, LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.label_studio_answers import (
    KEY_VARIABLE,
    URL_VARIABLE,
    is_read,
    not_label_studio,
    place,
    raise_for_status,
    read_json,
    readable,
    unreadable,
)
from connectors.retry import Patience, failed_request, send_patiently

#: An access token lives 300 s; it is renewed this long before its end.
RENEW_BEFORE: Final = 60.0
ACCESS_TOKEN_LIFE: Final = 300.0
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


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
        access = read_json(response, dict).get("access")
        if not isinstance(access, str) or not access.isascii() or not access.isprintable():
            raise not_label_studio(response)
        self._access = access
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
        if "/api/" in request.url.path and response.content and not readable(response):
            raise unreadable(response)
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
        # The key is all that says who we are: what is between us and the server is given nothing back.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
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
