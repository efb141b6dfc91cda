"""The retry loop, against a network that is a function."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connectors.retry import Patience, retry_after, send_patiently


class Network:
    """Answers with what it is given, in order, and notes how long it was waited for."""

    def __init__(self, *answers: int | Exception | httpx.Response) -> None:
        self.answers = list(answers)
        self.pauses: list[float] = []

    def send(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = httpx.Response(answer) if isinstance(answer, int) else answer
        response.request = request
        return response

    def patience(self, **changes: float) -> Patience:
        return Patience(sleep=self.pauses.append, clock=lambda: sum(self.pauses), **changes)


def ask(network: Network, method: str = "GET", *, repeatable: bool | None = None, **changes: float) -> int:
    extensions = {} if repeatable is None else {"repeatable": repeatable}
    request = httpx.Request(method, "http://example.com", extensions=extensions)
    return send_patiently(network.send, request, network.patience(**changes)).status_code


def test_an_answer_is_passed_on_at_once() -> None:
    network = Network(200)
    assert ask(network) == 200
    assert network.pauses == []


@pytest.mark.parametrize("trouble", [500, 502, httpx.ConnectError("x"), httpx.ReadTimeout("x")])
def test_a_read_is_repeated_after_trouble(trouble: int | Exception) -> None:
    assert ask(Network(trouble, trouble, 200)) == 200


@pytest.mark.parametrize("trouble", [500, 503])
def test_a_write_is_not_repeated_after_a_server_fault(trouble: int) -> None:
    assert ask(Network(trouble, 200), "POST") == trouble


@pytest.mark.parametrize("trouble", [httpx.ConnectError("x"), httpx.ReadTimeout("x")])
def test_a_write_is_not_repeated_after_a_lost_connection(trouble: Exception) -> None:
    with pytest.raises(type(trouble)):
        ask(Network(trouble, 200), "POST")


def test_a_write_that_says_so_is_repeated() -> None:
    assert ask(Network(500, httpx.ReadError("x"), 200), "POST", repeatable=True) == 200


def test_a_busy_server_is_asked_again_even_for_a_write() -> None:
    assert ask(Network(429, 201), "POST") == 201


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_repeated(status: int) -> None:
    assert ask(Network(status, 200)) == status


def test_it_gives_up_after_the_last_attempt() -> None:
    network = Network(500, 500, 500, 500, 200)
    assert ask(network) == 500
    assert len(network.pauses) == 3
    assert network.pauses == sorted(network.pauses)


def test_it_gives_up_at_the_ceiling() -> None:
    network = Network(500, 500, 200)
    assert ask(network, ceiling=0.1) == 500
    assert network.pauses == []


def test_the_wait_that_a_server_asks_for_is_kept() -> None:
    network = Network(httpx.Response(429, headers={"Retry-After": "7"}), 200)
    assert ask(network) == 200
    assert network.pauses == [7.0]


def test_a_wait_beyond_the_ceiling_is_the_callers_matter() -> None:
    network = Network(httpx.Response(429, headers={"Retry-After": "3600"}), 200)
    assert ask(network) == 429
    assert network.pauses == []


def in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)


@pytest.mark.parametrize(
    ("header", "expected"),
    [(lambda: "5", 5.0), (in_a_minute, 60.0), (lambda: "soon", None), (lambda: "", None)],
)
def test_both_forms_of_retry_after_are_read(header: Callable[[], str], expected: float | None) -> None:
    found = retry_after(httpx.Response(429, headers={"Retry-After": header()}))
    assert found == (None if expected is None else pytest.approx(expected, abs=2))
