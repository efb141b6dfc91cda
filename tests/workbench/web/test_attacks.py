"""What somebody tries who should not get in, or has come in and wants more."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.workbench.web.sites import MadeSite, show
from workbench.domain.roles import Role
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.security.secrets import digest


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
