"""The one retry loop of the house, around the sending of one HTTP request.

429 is always tried again: the service says so itself. A 5xx answer or a lost connection is tried again
only for a request that may be repeated. ``Retry-After`` is kept in both of its forms, and everything
ends at a ceiling in seconds.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

REPEATABLE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
TOO_MANY_REQUESTS: Final = 429
SERVER_FAULT: Final = 500
#: A service that asks for more is asked again all the same: a slip must not silence us for days.
LONGEST_WAIT: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on.

    Attributes:
        attempts: How often a request is sent at most.
        ceiling: Seconds after which no further attempt begins.
        first_pause: Seconds before the second attempt; doubles each time, with up to half of it as jitter.
        sleep: Waits; replaced in tests.
        clock: Monotonic seconds; replaced in tests.
    """

    attempts: int = 4
    ceiling: float = 30.0
    first_pause: float = 0.2
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def send_patiently(
    send: Callable[[httpx.Request], httpx.Response], request: httpx.Request, patience: Patience
) -> httpx.Response:
    """Send the request, again while that is allowed; the last answer or error is the caller's."""
    deadline = patience.clock() + patience.ceiling
    attempt = 1
    while True:
        pause = patience.first_pause * 2 ** (attempt - 1) * (1 + random.random() / 2)  # noqa: S311
        last = attempt >= patience.attempts
        try:
            response = send(request)
        except httpx.TransportError as error:
            if last or not may_repeat(failed_request(error, request)) or patience.clock() + pause > deadline:
                raise
        else:
            pause = retry_after(response) or pause
            if last or not asks_again(response) or patience.clock() + pause > deadline:
                return response
            response.close()
        patience.sleep(pause)
        attempt += 1


def failed_request(error: httpx.HTTPError, request: httpx.Request) -> httpx.Request:
    """Say which request failed: the given one, or one that was sent on its behalf (a token renewal)."""
    try:
        return error.request
    except RuntimeError:
        return request


def may_repeat(request: httpx.Request) -> bool:
    """Say whether sending this request twice does the same as sending it once."""
    return bool(request.extensions.get("repeatable", request.method in REPEATABLE_METHODS))


def asks_again(response: httpx.Response) -> bool:
    """Say whether this answer asks for the same request again."""
    if response.status_code == TOO_MANY_REQUESTS:
        return True
    return response.status_code >= SERVER_FAULT and may_repeat(response.request)


def retry_after(response: httpx.Response) -> float | None:
    """Read ``Retry-After`` as seconds from now, whether it holds seconds or a date; an hour at most."""
    seconds = _asked(response.headers.get("retry-after", ""))
    return None if seconds is None else min(max(0.0, seconds), LONGEST_WAIT)


def _asked(value: str) -> float | None:
    try:
        if value.isdecimal():
            return float(value)
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
