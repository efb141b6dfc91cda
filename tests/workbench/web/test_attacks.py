"""What somebody tries who should not get in, or has come in and wants more."""

import asyncio
import itertools
import shutil
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.workbench.web.sites import FILLED, MadeSite, served, show
from workbench.domain.roles import Role
from workbench.storage.store import Store
from workbench.web import crowd, live
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.security import bodies
from workbench.web.security.access import COOKIE
from workbench.web.security.limits import MOST_A_MINUTE
from workbench.web.security.secrets import digest
from workbench.web.site import Site


def ask_from(site: MadeSite, address: str, path: str = "/", **headers: str) -> httpx.Response:
    """One request from an address, under a name that means this machine."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=site.app, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


@pytest.fixture
def own_folder(made_folder: Path, tmp_path: Path) -> Path:
    """A copy of the made-up projects, without a token."""
    return Path(shutil.copytree(made_folder, tmp_path / "own"))


def test_without_tokens_the_address_counts_and_not_the_name_that_was_asked_for(open_site: MadeSite) -> None:
    assert ask_from(open_site, "127.0.0.1").status_code == 200
    assert ask_from(open_site, "::1").status_code == 200
    for address in ("192.0.2.7", "2001:db8::1", "unknown"):
        assert ask_from(open_site, address).status_code == 403, address


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_without_tokens_nobody_comes_in_through_a_proxy(open_site: MadeSite, header: str) -> None:
    assert ask_from(open_site, "127.0.0.1", **{header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_the_last_token_that_ends_does_not_open_the_door_to_everybody(own_folder: Path, ended: str) -> None:
    site = show(own_folder)
    with site.store.begin() as tx:
        past = tx.now - timedelta(days=1)
        tx.tokens.create("ada", Role.ADMIN, digest("the key"), past if ended == "expired" else None)
        if ended == "revoked":
            tx.tokens.revoke("ada")
    assert ask_from(site, "127.0.0.1").status_code == 303
    assert ask_from(site, "127.0.0.1", "/api/v1/me").status_code == 401


def test_a_configuration_that_breaks_opens_no_door(own_folder: Path) -> None:
    site = show(own_folder, tokens=True)
    assert ask_from(site, "127.0.0.1", "/api/v1/me").status_code == 401
    (own_folder / "workbench.toml").write_text("[project")
    assert ask_from(site, "127.0.0.1", "/api/v1/me").status_code == 401


def test_what_other_machines_can_reach_is_never_open(own_folder: Path) -> None:
    site = show(own_folder)
    wide = create_app(Desk(site=site.app.state.desk.site, open_here=False))
    answer = ask_from(MadeSite(folder=own_folder, store=site.store, app=wide, slugs={}), "127.0.0.1")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_guesses_from_everywhere_keep_nobody_out_who_has_a_key(guarded_site: MadeSite) -> None:
    for number in range(int(MOST_A_MINUTE) + 20):
        ask_from(guarded_site, f"2001:db8:{number:x}::1", "/api/v1/me", Authorization="Bearer guess")
    key = f"Bearer {guarded_site.tokens[Role.VIEWER]}"
    assert ask_from(guarded_site, "192.0.2.9", "/api/v1/me", Authorization=key).status_code == 200
    for status in (401, 429):
        answer = ask_from(guarded_site, "2001:db8:ffff::1", "/api/v1/me", Authorization="Bearer guess")
        assert answer.status_code == status


@pytest.mark.parametrize("ended", ["revoked", "signed out"])
def test_whoever_may_not_any_more_hears_nothing_more(
    guarded_site: MadeSite, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)
    cookies = guarded_site.sign_in(Role.VIEWER)
    path = f"{guarded_site.filled}/live/events"
    with served(guarded_site.app) as base, httpx.Client(base_url=base, timeout=20) as client:
        head = {"Cookie": f"{COOKIE}_{base.rpartition(':')[2]}={cookies[COOKIE]}"}
        with client.stream("GET", path, headers=head) as answer:
            said = answer.iter_text()
            assert next(said).startswith("retry")
            with guarded_site.store.begin() as tx:
                if ended == "revoked":
                    tx.tokens.revoke("the viewer")
                else:
                    tx.tokens.close_session(digest(cookies[COOKIE]))
            with guarded_site.store.begin() as tx:
                (project,) = (each for each in tx.projects.all() if each.name == FILLED.name)
                tx.results.note(project.id, "asked", "after the end")
            heard = "".join(said)
        assert "after the end" not in heard
        assert client.get(path, headers=head).status_code == 303


@pytest.mark.parametrize("text", [r"\ud800 half a letter", r"a zero \u0000 byte"])
def test_what_is_no_text_is_refused_in_words(guarded_site: MadeSite, text: str) -> None:
    path = f"/api/v1{guarded_site.filled}"
    sent = {"headers": {"Content-Type": "application/json"}, "content": f'{{"reason": "{text}"}}'}
    answer = guarded_site.as_role(Role.OPERATOR, f"{path}/acts/pause", "POST", **sent)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
    sent["content"] = f'{{"deadline": "{text}", "{text}": 1}}'
    answer = guarded_site.as_role(Role.ADMIN, f"{path}/budget", "PATCH", **sent)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/log?kind=%00",
        "/log?actor=a%00b",
        "/item?key=%00",
        "/panels/comparison?compare=a&compare=%00",
        "/panels/%00",
    ],
)
def test_a_zero_byte_names_nothing(open_site: MadeSite, path: str) -> None:
    answer = open_site.ask(f"{open_site.filled}{path}")
    assert answer.status_code == 404
    assert "zero byte" in answer.text


def test_what_is_refused_is_not_logged_and_an_address_begins_no_line_of_the_log(
    open_site: MadeSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_site.ask("/sign-in", "POST", content=b"x" * 1_100_000).status_code == 413
    assert caplog.records == []

    def broken(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("workbench.web.site.Site.places", broken)
    assert open_site.ask("/projects/%0aA%20request%20failed:%20%1b[31m").status_code == 500
    (record,) = caplog.records
    assert record.getMessage().isprintable()


def test_a_body_that_comes_drop_by_drop_is_not_waited_for(
    guarded_site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.3)
    ended = asyncio.Event()

    async def drops() -> AsyncIterator[bytes]:
        while not ended.is_set():
            yield b"t"
            await asyncio.sleep(0.05)

    async def send() -> httpx.Response:
        asyncio.get_running_loop().call_later(20, ended.set)
        transport = httpx.ASGITransport(app=guarded_site.app)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/sign-in", content=drops(), headers=form)

    answer = asyncio.run(send())
    assert answer.status_code == 408
    assert "did not arrive" in answer.text


def test_whoever_is_still_welcome_goes_on_hearing(
    guarded_site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.1)
    head = {"Authorization": f"Bearer {guarded_site.tokens[Role.VIEWER]}"}
    with (
        served(guarded_site.app) as base,
        httpx.stream("GET", f"{base}{guarded_site.filled}/live/events", headers=head) as answer,
    ):
        assert "".join(itertools.islice(answer.iter_text(), 8)).count(": still here") >= 5


def test_while_every_thread_waits_whoever_comes_is_told_so_and_the_process_is_seen_to_live(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, frozen, stuck = show(own_folder), threading.Event(), [0]
    real = Site.stores

    def stores(served: Site) -> list[Store]:
        stuck[0] += 1
        frozen.wait(30)
        return real(served)

    monkeypatch.setattr(Site, "stores", stores)

    async def crowded() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client:
            client.cookies.set(COOKIE, "anything")
            waiting = [asyncio.create_task(client.get("/")) for _ in range(40)]
            # Every thread that there is.
            while stuck[0] < len(waiting):
                await asyncio.sleep(0.01)
            monkeypatch.setattr(crowd, "PATIENCE_SECONDS", 0.1)
            refused = await client.get("/")
            alive = await client.get("/health")
            frozen.set()
            rest = await asyncio.gather(*waiting)
            return [alive, refused, *rest]

    alive, refused, *rest = asyncio.run(crowded())
    assert alive.text == "ok"
    assert refused.status_code == 503
    assert "does not answer" in refused.text
    assert {answer.status_code for answer in rest} == {200}
