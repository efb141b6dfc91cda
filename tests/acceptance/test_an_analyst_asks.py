"""Somebody who has never seen the product finds the answers in the dashboard, and they are the true ones."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.animals import ANIMALS, CONFIG
from workbench.storage.store import open_store

sync_api = pytest.importorskip("playwright.sync_api", reason="'pip install playwright' drives the browser.")
pytestmark = pytest.mark.browser
PATIENCE = 60.0


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `workbench serve` over a project with known answers."""
    folder = tmp_path_factory.mktemp("animals")
    (folder / "workbench.toml").write_text(CONFIG, encoding="utf-8")
    store = open_store(f"sqlite:///{folder / 'workbench.db'}")
    store.upgrade()
    ANIMALS.write(store)
    store.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "workbench", "serve", "--port", str(port)]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=os.environ | {"LANG": "C"}
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The dashboard did not come up.")


def _first_answer(page: "sync_api.Page", url: str, link: str) -> str:
    """Open the dashboard, the project, a panel by what its link says; the sentence that stands out there."""
    page.goto(url)
    page.get_by_role("link", name=ANIMALS.name).first.click()
    page.get_by_role("navigation").get_by_role("link", name=link, exact=True).first.click()
    page.get_by_role("heading", level=1, name=link).wait_for()
    return _answer(page)


def _answer(page: "sync_api.Page") -> str:
    """The first finding, without the word for how it is meant that screen readers say before it."""
    _, _, words = page.locator("main .findings li").first.inner_text().rpartition("\n")
    return words


def test_how_many_labels_until_the_target(page: "sync_api.Page", dashboard: str) -> None:
    said = _first_answer(page, dashboard, "Forecast")
    found = re.search(r"93\.0 % should take (\d[\d\s]*) \[(\d[\d\s]*) to (\d[\d\s]*)\] more labels", said)
    assert found, said
    middle, low, high = (int(re.sub(r"\s", "", number)) for number in found.groups())
    assert low < middle < high
    assert 300 < middle < 2000


def test_is_active_learning_ahead_of_random(page: "sync_api.Page", dashboard: str) -> None:
    assert _first_answer(page, dashboard, "Savings").startswith("Choosing beat random here: ")


def test_which_class_lacks_labels(page: "sync_api.Page", dashboard: str) -> None:
    said = _first_answer(page, dashboard, "Coverage")
    assert "'fox' lacks labels" in said
    assert not any(name in said for name in ("cat", "dog", "hare", "owl", "wolf"))


def test_who_disagrees_most(page: "sync_api.Page", dashboard: str) -> None:
    assert _first_answer(page, dashboard, "Annotators").startswith("cleo disagrees most")


def test_is_the_model_calibrated(page: "sync_api.Page", dashboard: str) -> None:
    said = _first_answer(page, dashboard, "Calibration")
    assert "not calibrated" in said
    assert "overconfident" in said


def test_may_we_stop(page: "sync_api.Page", dashboard: str) -> None:
    page.goto(dashboard)
    page.get_by_role("link", name=ANIMALS.name).first.click()
    assert _answer(page).startswith("Go on")
