"""What every answer is like: safe headers, plain words for whatever goes wrong, nothing read too far."""

import re
from typing import Any

import pytest

from tests.workbench.web.sites import MadeSite
from workbench.domain.errors import DatabaseAway
from workbench.domain.roles import Role
from workbench.web.security.bodies import LARGEST
from workbench.web.security.headers import ALWAYS
from workbench.web.site import Site

ANSWERS = (
    "/",
    "/nothing",
    "/sign-in",
    "/static/app.js",
    "/static/nothing",
    "/api/nothing",
    "/health",
    "/pictures/x",
)
TRAVERSALS = (
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/%2e%2e/app.py",
    "/static/....//app.py",
    "/projects/..%2f..%2fetc%2fpasswd",
    "/projects/empty/panels/..%2f..%2f..%2fetc%2fpasswd",
    "/projects/empty/panels/headline/charts/..%2f..%2fetc%2fpasswd.svg",
    "/projects/empty/panels/headline/tables/..%2f..%2fetc%2fpasswd.csv",
    "/projects/empty/item?key=../../../../etc/passwd",
    "/projects/empty/item/picture?key=../../../../etc/passwd",
    "/projects/empty/item?key=%00",
    "/projects/empty/rounds/..%2f1",
    "/pictures/..%2f..%2fetc%2fpasswd?item=/etc/passwd",
)


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_has_the_safe_headers(open_site: MadeSite, path: str) -> None:
    answer = open_site.ask(path)
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_pages_are_not_kept_by_browsers_and_files_of_ours_are(open_site: MadeSite) -> None:
    assert open_site.ask("/").headers["cache-control"] == "no-store"
    assert "max-age" in open_site.ask("/static/app.js").headers["cache-control"]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_address_leads_out_of_what_is_served(open_site: MadeSite, path: str) -> None:
    answer = open_site.ask(path)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/projects/nobody", "GET", 404),
        ("/projects/empty/panels/nothing", "GET", 404),
        ("/projects/empty/rounds/7", "GET", 404),
        ("/projects/empty/rounds/x", "GET", 422),
        ("/projects/empty/item?key=nothing", "GET", 404),
        ("/projects/empty/rounds?at=yesterday", "GET", 422),
        ("/projects/empty/rounds?at=9999-99-99", "GET", 422),
        ("/projects/empty/rounds?at=0001-01-01T00:00:00%2B23:00", "GET", 422),
        ("/projects/empty", "DELETE", 405),
        ("/projects/empty", "POST", 405),
        ("/projects/empty/panels/batch?round=99999999999999999999", "GET", 422),
        ("/projects/empty/log?before=0", "GET", 422),
    ],
)
def test_what_can_not_be_answered_is_explained_in_words(
    open_site: MadeSite, path: str, method: str, status: int
) -> None:
    page, told = open_site.ask(path, method), open_site.ask(f"/api/v1{path}", method)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert f'<p class="status">{status}</p>' in page.text
    assert told.headers["content-type"] == "application/problem+json"
    assert set(told.json()) == {"title", "status", "detail"}
    assert "Traceback" not in page.text + told.text


def test_what_nobody_foresaw_is_told_without_a_trace(
    open_site: MadeSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(Site, "places", broken)
    page, told = open_site.ask("/"), open_site.ask("/api/v1/projects")
    for answer in (page, told):
        assert answer.status_code == 500
        assert "secret detail" not in answer.text
        assert "ZeroDivisionError" not in answer.text
        assert answer.headers["content-security-policy"] == ALWAYS["Content-Security-Policy"]
    assert "a secret detail" in caplog.text


def test_a_database_that_is_away_is_said_to_be(open_site: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise DatabaseAway("The database is locked. Try again in a minute.")

    monkeypatch.setattr(Site, "places", away)
    assert open_site.ask("/").status_code == 503
    assert open_site.ask("/api/v1/projects").json()["detail"].startswith("The database is locked.")


def test_a_body_that_is_too_large_is_not_read(guarded_site: MadeSite) -> None:
    cookies = guarded_site.sign_in(Role.ADMIN)
    declared = guarded_site.ask("/tokens", "POST", content=b"a" * (LARGEST + 1), cookies=cookies)
    assert declared.status_code == 413
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 65_536
            yield b"a" * 65_536

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = guarded_site.ask("/sign-in", "POST", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert read < LARGEST * 2


def test_nothing_of_an_address_becomes_a_header(guarded_site: MadeSite) -> None:
    answer = guarded_site.ask("/projects/x%0d%0aSet-Cookie:%20a=b")
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    assert "\n" not in answer.headers["location"]
    data = {"token": guarded_site.tokens[Role.VIEWER], "next": "/\r\nSet-Cookie: a=b"}
    signed = guarded_site.ask("/sign-in", "POST", data=data)
    assert signed.headers["location"] == "/"
    assert len(re.findall("set-cookie", str(signed.headers).lower())) == 1
