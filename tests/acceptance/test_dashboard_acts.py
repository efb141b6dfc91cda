"""A round from the dashboard: started, watched, answered, closed; a real browser and real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from workbench.bootstrap import add_to_pool, upgrade_database
from workbench.config.load import load_settings
from workbench.storage.store import open_store
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
BASE = "/projects/spots"
LONG = pytest.mark.skipif(not os.environ.get("DASHBOARD_LONG"), reason="DASHBOARD_LONG=1 runs it too")
WORKBENCH = [sys.executable, "-c", "from workbench.cli.main import main; main()"]


def _until(true: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@contextmanager
def _process(where: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*WORKBENCH, *words], cwd=where, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@contextmanager
def _dashboard(where: Path, *words: str) -> Iterator[str]:
    """A real `workbench serve`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _process(where, "serve", "--port", str(port), *words):
        url = f"http://127.0.0.1:{port}"
        _until(lambda: _answers(f"{url}/health"))
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def _here(where: Path) -> Iterator[str]:
    """The same in this process: quicker to start."""
    listener = socket.create_server(("127.0.0.1", 0))
    site = Site([where / "workbench.toml"])
    config = uvicorn.Config(
        create_app(Desk(site=site)), log_level="error", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        site.close()


@pytest.fixture
def project(folder: Any) -> Any:
    folder.configure(more="[budget]\nper_annotation = 0.5\nmax_labels = 100\n")
    config = folder.path / "workbench.toml"
    config.write_text(config.read_text().replace('name = "a project"', 'name = "spots"'))
    folder.numbers()
    upgrade_database(config)
    add_to_pool(
        config, folder.path / "items.csv", features=("x", "y"), key="key", label="label", test_share=0.2
    )
    return folder


def _says(page: "Page", words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('[data-live-words]')?.textContent.includes(words)",
        arg=words,
        timeout=60_000,
    )


def _offers(page: "Page", name: str) -> None:
    page.wait_for_selector(f"[data-live-acts] >> text={name}", timeout=60_000)


def _click(page: "Page", name: str) -> None:
    page.click(f"[data-live-acts] >> text={name}")


def test_a_round_is_started_watched_answered_and_closed_in_the_browser(project: Any, page: "Page") -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    with _dashboard(project.path, "--local-role", "admin") as url:
        page.goto(f"{url}{BASE}")
        _says(page, "No round has been started yet.")
        page.wait_for_selector("[data-live-state] >> text=live")
        _click(page, "Start a round")
        page.fill("#batch", "6")
        page.click("main button >> text=Start a round")
        page.wait_for_url(f"**{BASE}/live")
        # Nothing is loaded again from here on: what changes comes by itself.
        _says(page, "Round 0 is with the annotators: 0 of 6 answered.")
        _offers(page, "Bring answers in")
        project.label_all(limit=4)
        _click(page, "Bring answers in")
        _says(page, "4 of 6 answered")
        _offers(page, "Close with what is there")
        project.label_all()
        _click(page, "Bring answers in")
        _says(page, "Round 0 is closed.")
        _offers(page, "Start a round")
        page.goto(f"{url}{BASE}/budget")
        page.fill("#max_labels", "many")
        page.press("#max_labels", "Enter")
        assert "found 'many'" in page.inner_text("#max_labels-said")
        page.fill("#max_labels", "150")
        page.press("#max_labels", "Enter")
        assert "Raised max_labels from 100 to 150." in page.inner_text("main")
    trail = project.type("log").out
    assert "Raised max_labels from 100 to 150" in trail
    assert "this machine" in trail
    assert project.type("report", "--json").json["budget_curve"][0]["labels"] == 6
    assert [text for text in wrong if "422" not in text] == []


def test_progress_of_another_process_is_seen_as_it_comes(project: Any, page: "Page") -> None:
    store = open_store(load_settings(project.path / "workbench.toml").database_url)
    with _here(project.path) as url:
        page.goto(f"{url}{BASE}/live")
        page.wait_for_selector("[data-live-state] >> text=live")
        with store.begin() as tx:
            (found,) = tx.projects.all()
            planned = tx.rounds.plan(found.id, batch_size=3, seed=1, config={})
            held = tx.rounds.take(planned.id, "far-away~1:7:1", 600, is_gone=lambda _: False)
        for done in (120_000, 430_000):
            with store.begin() as tx:
                tx.rounds.tell(held, "Scoring 1000000 items", done, 1_000_000)
            page.wait_for_selector(f"progress[value='{done}']", timeout=30_000)
        assert "430 000 of 1 000 000 43%" in " ".join(page.inner_text("[data-live-status]").split())
        assert "Held by far-away" in page.inner_text("[data-live-status]")
        assert page.query_selector("[data-live-acts]") is None, "who holds the round is left to work"
        with store.begin() as tx:
            tx.rounds.release(held)
        _offers(page, "Go on")
        assert "Nobody works on it" in page.inner_text("[data-live-status]")
        # The server goes; the page says so and comes back with it.
    page.wait_for_selector("[data-live-state] >> text=not live")
    store.close()


def test_many_open_tabs_leave_the_browser_connections_for_pages(project: Any, page: "Page") -> None:
    context = page.context.browser.new_context()  # type: ignore[union-attr]
    with _here(project.path) as url:
        tabs = [context.new_page() for _ in range(8)]
        for tab in tabs:
            # Six streams would be all that a browser opens to one place.
            tab.goto(f"{url}{BASE}/live", timeout=20_000)
            tab.wait_for_selector("[data-live-state] >> text=/^live/", timeout=20_000)
        said = [tab.inner_text("[data-live-state]") for tab in tabs]
        assert said.count("live") <= 3
        assert "live" in said
    context.close()


@LONG
def test_killed_at_work_the_round_can_be_resumed_by_a_click(project: Any, page: "Page") -> None:
    config = project.path / "workbench.toml"
    config.write_text(config.read_text().replace("epochs = 15", "epochs = 200000"))
    with _here(project.path) as url:
        page.goto(f"{url}{BASE}/live")
        _click(page, "Start a round")
        page.click("main button >> text=Start a round")
        _says(page, "with the annotators")
        project.label_all()
        _offers(page, "Bring answers in")
        _click(page, "Bring answers in")
        page.wait_for_selector("text=Training on 6 labels", timeout=60_000)
        page.wait_for_function("() => document.querySelector('progress[value]')?.value > 0", timeout=60_000)
        holder = httpx.get(f"{url}/api/v1/projects/spots/now").json()["held_by"]
        os.kill(int(holder.split(":")[1]), signal.SIGKILL)
        page.wait_for_selector("text=was ended by signal 9", timeout=30_000)
        _offers(page, "Go on")
        config.write_text(config.read_text().replace("epochs = 200000", "epochs = 15"))
        _click(page, "Go on")
        _says(page, "Round 0 is closed.")
    assert "asked-failed" in project.type("log").out
    assert project.type("report", "--json").json["budget_curve"][0]["labels"] == 6


@LONG
def test_a_worker_that_lives_does_what_is_asked_for_here(project: Any, page: "Page") -> None:
    with _here(project.path) as url, _process(project.path, "run"):
        page.goto(f"{url}{BASE}/live")
        page.wait_for_selector("[data-live-status] >> text=/worker .* waits/", timeout=60_000)
        _offers(page, "Pause")
        _click(page, "Start a round")
        page.click("main button >> text=Start a round")
        page.wait_for_selector("text=the worker that looks after this project does it", timeout=20_000)
        _says(page, "with the annotators")
        started = json.loads(project.type("log", "--json").out)["events"]
        (begun,) = [event for event in started if event["kind"] == "started"]
        assert begun["actor"].startswith("worker ")
        assert [e["actor"] for e in started if e["kind"] == "schedule-wanted"] == ["this machine"]


def test_without_scripts_everything_can_be_done_too(project: Any, page: "Page") -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    with _here(project.path) as url:
        store = open_store(load_settings(project.path / "workbench.toml").database_url)
        with store.begin() as tx:
            (found,) = tx.projects.all()
            tx.rounds.plan(found.id, batch_size=3, seed=1, config={})
        store.close()
        plain.goto(f"{url}{BASE}/live")
        plain.click("text=Give the round up")
        assert "Its unanswered items go back to the pool." in plain.inner_text("main")
        plain.click("main button >> text=Give the round up")

        def given_up() -> bool:
            plain.reload()
            return "Round 0 was given up." in plain.inner_text("main")

        _until(given_up)
    context.close()
