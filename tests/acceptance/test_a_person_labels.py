"""A person with a real browser labels what `workbench round ask` chose, and `round tell` brings it in."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from connectors.labelers.label_studio_people import invite_person
from tests.conftest import RealLabelStudio, sign_in
from workbench.simulation.digits import write_digits

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.external, pytest.mark.browser]
PICTURE_LOADED = "() => [...document.querySelectorAll('img')].some(i => i.naturalWidth === 64)"
PASSWORD = "a-long-password"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _digits(folder: Path) -> None:
    whole = folder / "all"
    write_digits(whole, lambda _done, _total: None)
    for digit in range(10):
        for path in sorted((whole / str(digit)).glob("*.png"))[:12]:
            target = folder / "pictures" / str(digit) / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def _project(folder: Any, studio: RealLabelStudio, more: str) -> None:
    folder.write(
        f"""
[project]
name = "by hand {uuid4().hex[:8]}"
task = "image-classification"
classes = {json.dumps([str(digit) for digit in range(10)])}
[model]
encoder_options = {{ size = [8, 8], channels = 1 }}
[labeler]
kind = "label-studio"
show_predictions = false
{more}
"""
    )
    folder.write(f"LABEL_STUDIO_URL={studio.url}\nLABEL_STUDIO_API_KEY={studio.owner.token}\n", ".env")


@pytest.mark.parametrize("way", ["inline", "served", "local-files"])
def test_a_click_in_the_browser_becomes_a_label(
    folder: Any, page: "Page", label_studio: RealLabelStudio, way: str
) -> None:
    port = _free_port()
    root = label_studio.files_root / f"digits-{uuid4().hex[:8]}" if way == "local-files" else folder.path
    _digits(root)
    more = {
        "inline": 'pictures = "inline"',
        "served": f'pictures = "served"\nserve_url = "http://127.0.0.1:{port}"',
        "local-files": f'pictures = "local-files"\nlocal_files_root = "{label_studio.files_root}"',
    }[way]
    _project(folder, label_studio, more)
    for words in (("db", "upgrade"), ("pool", "add", str(root / "pictures"), "--label", "folders")):
        typed = folder.type(*words)
        assert typed.code == 0, typed.err
    server = _serve(folder.path, port) if way == "served" else None
    try:
        _label_one(folder, page, label_studio)
        doctor = folder.type("doctor")
        assert doctor.code == 0, doctor.err
        assert "fits the classes" in doctor.err
    finally:
        if server:
            server.terminate()
            server.wait(20)


def _label_one(folder: Any, page: "Page", studio: RealLabelStudio) -> None:
    asked = folder.type("round", "ask", "--batch", "5", "--json").json
    email = f"person-{uuid4().hex[:8]}@example.com"
    invite_person(studio.url, studio.owner.token, email, PASSWORD).close()
    sign_in(page, studio.url, email, PASSWORD)
    page.goto(studio.url + "/projects/" + _project_id(folder))
    page.get_by_role("button", name="Label All Tasks").first.click()
    page.wait_for_selector('[data-testid="bottombar-submit-button"]')
    page.wait_for_function(PICTURE_LOADED)
    page.screenshot(path=os.environ.get("SCREENSHOT", folder.path / "label.png"))
    page.locator('label:has-text("7")').first.click()
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST") as answer:
        page.get_by_test_id("bottombar-submit-button").click()
    assert answer.value.status == 201
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["pulled"]["labels"], told["progress"]["answered"]) == ("labeling", 1, 1)
    picks = folder.type("round", "show", "--json").json["picks"]
    most_wanted = asked["picked"][0]["item_key"]
    assert [(pick["item"], pick["label"]) for pick in picks if pick["label"]] == [(most_wanted, "7")]
    assert email in next(pick["answers"] for pick in picks if pick["label"])


def _project_id(folder: Any) -> str:
    import sqlite3

    with sqlite3.connect(folder.path / "workbench.db") as database:
        ((found,),) = database.execute("SELECT external_id FROM labeler_link").fetchall()
    return str(found)


def _serve(directory: Path, port: int) -> "subprocess.Popen[bytes]":
    workbench = Path(sys.executable).with_name("workbench")
    server = subprocess.Popen([workbench, "serve"], cwd=directory, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
                return server
        except httpx.HTTPError:
            time.sleep(0.1)
    server.kill()
    raise AssertionError("workbench serve did not start")


def _get(app: Any, address: str) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(address, headers={"Origin": "http://elsewhere"})

    # In a thread of its own: the browser's driver runs an event loop in this one.
    with ThreadPoolExecutor() as threads:
        return threads.submit(lambda: asyncio.run(get())).result()


def test_served_pictures_have_names_that_nobody_can_guess(folder: Any) -> None:
    from workbench.bootstrap import ensure_project, project_store
    from workbench.config.load import load_settings
    from workbench.steps.present import picture_secret, presenter
    from workbench.web.pictures import picture_app

    _digits(folder.path)
    folder.write(
        '[project]\nname = "served"\ntask = "image-classification"\nclasses = ["0", "1"]\n'
        '[labeler]\nkind = "embedded"\npictures = "served"\nserve_url = "http://testserver"\n'
    )
    folder.type("db", "upgrade")
    folder.type("pool", "add", "pictures")
    picked = folder.type("round", "ask", "--batch", "2", "--json").json["picked"][0]["item_key"]
    settings = load_settings(folder.path / "workbench.toml")
    with project_store(settings) as store:
        project = ensure_project(store, settings)
        address = presenter(settings, project)(picked, {})
        app = picture_app(store, project, picture_secret(settings.directory))
        shown = _get(app, address)
        assert (shown.status_code, shown.headers["access-control-allow-origin"]) == (200, "*")
        assert shown.content == (folder.path / "pictures" / picked).read_bytes()
        name = address.rpartition("/")[2].partition("?")[0]
        for wrong in (
            f"/pictures/{name[:-1]}x?item={picked}",
            f"/pictures/{name}?item=0/0001.png",
            f"/pictures/{name}?item=../workbench.toml",
            f"/pictures/{name}",
        ):
            assert _get(app, wrong).status_code == 404
    assert (settings.directory / "picture-secret").stat().st_mode & 0o077 == 0
