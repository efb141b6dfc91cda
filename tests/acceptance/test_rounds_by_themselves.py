"""Rounds that run themselves: real workers, a person who answers, and everything that may come between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from workbench.config.load import load_settings
from workbench.scheduler.bench import Bench
from workbench.scheduler.diary import Diary
from workbench.scheduler.places import find_projects
from workbench.scheduler.watch import Watched
from workbench.scheduler.worker import Worker
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store

WORKBENCH = Path(sys.executable).with_name("workbench")
AFTER_CLOSE = "[schedule]\nafter_close = true\nlook_every = 1\n"


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts workers as processes of their own; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def start(folder: Any, *options: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [WORKBENCH, "run", folder.path, *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def opened(folder: Any) -> Store:
    return open_store(load_settings(folder.path / "workbench.toml").database_url)


def rounds(folder: Any) -> list[str]:
    return [found["state"] for found in folder.type("round", "list", "--json").json["rounds"]]


def shown(folder: Any) -> Any:
    return folder.type("schedule", "show", "--json").json


def events(folder: Any, kind: str) -> list[str]:
    return [event["message"] for event in folder.type("log", "--kind", kind, "--json").json["events"]]


def until(met: Callable[[], bool], what: str, act: Callable[[], object] = lambda: None) -> None:
    for _ in range(1200):
        if met():
            return
        act()
        time.sleep(0.1)
    pytest.fail(f"waited in vain for: {what}")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_two_workers_one_of_them_killed_run_three_rounds_and_double_nothing(
    folder: Any, started: Callable[..., subprocess.Popen[str]], kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        folder.write(f"WORKBENCH_DATABASE_URL={request.getfixturevalue('postgresql_database')}\n", ".env")
    folder.ready(more=f"{AFTER_CLOSE}max_rounds = 3\n")
    workers = {process.pid: process for process in (started(folder), started(folder))}
    ada = folder.person()
    store = opened(folder)

    def who_started(number: int) -> int | None:
        with store.read() as tx:
            project = tx.projects.get("a project")
            assert project is not None
            told = tx.results.events(project.id, Wanted(kind="started"))
        actors = [event.actor for event in told if event.round_number == number]
        return int(actors[0].rpartition(":")[2]) if actors else None

    until(lambda: who_started(1) is not None, "a second round", lambda: folder.label_all(ada))
    killed = workers.pop(who_started(1) or 0)
    killed.kill()
    killed.wait()

    def stopped() -> bool:
        with store.read() as tx:
            found = tx.schedules.get(1)
        return found is not None and found.state == "stopped"

    until(stopped, "the end of the schedule", lambda: folder.label_all(ada))
    (survivor,) = workers.values()
    survivor.send_signal(signal.SIGTERM)
    assert survivor.wait(30) == 0
    store.close()
    assert rounds(folder) == ["closed", "closed", "closed"]
    assert len(events(folder, "started")) == 3
    assert events(folder, "schedule-stopped") == [
        "No further round is started: 3 rounds were made, max_rounds is 3"
    ]
    picked = Counter(
        pick["item"]
        for number in range(3)
        for pick in folder.type("round", "show", str(number), "--json").json["picks"]
    )
    assert (len(picked), set(picked.values())) == (18, {1})


def test_a_call_of_the_labeler_wakes_a_worker_that_would_sleep_and_sigterm_ends_it_politely(
    folder: Any, started: Callable[..., subprocess.Popen[str]]
) -> None:
    folder.ready(more="[schedule]\nafter_close = true\nlook_every = 86400\nmax_rounds = 1\n")
    process = started(folder, "--webhooks", "127.0.0.1:0", WORKBENCH_WEBHOOK_SECRET="a secret that is long")
    assert process.stderr is not None
    said = []
    while "with the annotators" not in (line := process.stderr.readline()):
        assert line, said
        said.append(line)
    (port,) = [words.split()[-1] for words in said if "may call at port" in words]
    folder.label_all()
    address = f"http://127.0.0.1:{port}/hooks/label-studio/a%20project"
    assert httpx.post(address, json={}, headers={"X-Workbench-Secret": "another"}).status_code >= 400
    called = httpx.post(
        address, json={"action": "X"}, headers={"X-Workbench-Secret": "a secret that is long"}
    )
    assert called.status_code < 300
    while "is 'closed'" not in (line := process.stderr.readline()):
        assert line, "the worker has ended"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "a secret that is long" not in "".join([*said, process.stderr.read()])
    assert shown(folder)["workers"] == []


def test_once_does_all_that_can_be_done_now(folder: Any) -> None:
    folder.ready(more=AFTER_CLOSE)
    first = folder.type("run", "--once")
    assert first.code == 0, first.err
    assert "a project  start: There is no round yet" in first.err
    assert rounds(folder) == ["labeling"]
    folder.label_all()
    second = folder.type("run", str(folder.path), "--once", "--json")
    lines = [json.loads(line) for line in second.out.splitlines()]
    assert {"at", "project", "kind", "words"} == set(lines[0])
    assert [line["kind"] for line in lines] == ["look", "pulled", "round", "start", "round"]
    assert rounds(folder) == ["closed", "labeling"]


def test_a_pause_lets_the_open_round_end_and_starts_none_but_one_that_is_asked_for(folder: Any) -> None:
    folder.ready(more=AFTER_CLOSE)
    folder.type("run", "--once")
    refused = folder.type("schedule", "now")
    assert refused.code == 1
    assert "Round 0 is open" in refused.err
    assert folder.type("schedule", "pause", "the annotators are on holiday").code == 0
    folder.label_all()
    folder.type("run", "--once")
    assert rounds(folder) == ["closed"]
    assert shown(folder)["next"] == "The schedule is paused: the annotators are on holiday"
    asked = folder.type("schedule", "now", "--json")
    assert asked.json["act"] == "start"
    folder.type("run", "--once")
    assert rounds(folder) == ["closed", "labeling"]
    folder.label_all()
    folder.type("run", "--once")
    assert rounds(folder) == ["closed", "closed"]
    assert folder.type("schedule", "resume").code == 0
    folder.type("run", "--once")
    assert rounds(folder) == ["closed", "closed", "labeling"]
    told = [
        event["actor"] for event in folder.type("log", "--kind", "schedule-paused", "--json").json["events"]
    ]
    assert "@" in told[0], "by the person who typed it"


def test_it_stops_at_the_budget_in_words_and_goes_on_when_that_is_raised(folder: Any) -> None:
    budget = "[budget]\nmax_labels = {}\n"
    folder.ready(more=AFTER_CLOSE + budget.format(6))
    folder.type("run", "--once")
    folder.label_all()
    ended = folder.type("run", "--once")
    assert ended.code == 0, "an end that was foreseen is no failure"
    page = shown(folder)
    assert page["state"] == "stopped"
    assert "6 are allowed" in page["reason"]
    refused = folder.type("schedule", "now")
    assert refused.code == 1
    assert "6 are allowed" in refused.err
    folder.configure(more=AFTER_CLOSE + budget.format(12))
    folder.type("run", "--once")
    assert rounds(folder) == ["closed"], "until somebody says so"
    folder.type("schedule", "resume")
    folder.type("run", "--once")
    assert rounds(folder) == ["closed", "labeling"]


def test_the_last_items_of_the_pool_are_a_smaller_round_and_then_it_stops(folder: Any) -> None:
    folder.ready(8, test_share="0", more=AFTER_CLOSE)
    for _ in range(3):
        folder.type("run", "--once")
        folder.label_all()
    folder.type("run", "--once")
    assert [row["batch"] for row in folder.type("round", "list", "--json").json["rounds"]] == [6, 2]
    assert "every item of the pool" in shown(folder)["reason"]


def test_a_round_that_is_not_answered_in_time_is_closed_with_what_is_there(folder: Any) -> None:
    folder.ready(more="[schedule]\nclose_after_days = 0.000000001\n")
    folder.type("schedule", "now")
    folder.type("run", "--once")
    folder.label_all(limit=4)
    closed = folder.type("run", "--once")
    assert "closed with the answers that are there" in closed.err
    assert rounds(folder) == ["closed"]


def test_a_tick_starts_one_round_and_one_that_finds_it_open_is_skipped_once(folder: Any) -> None:
    folder.ready(more='[schedule]\ncron = "0 0 1 1 *"\n')
    folder.type("run", "--once")
    assert folder.type("round", "list", "--json").json["rounds"] == []
    store = opened(folder)

    def come() -> None:
        """As if the year had just begun."""
        with store.begin() as tx:
            schedule = tx.schedules.ensure(1)
            assert tx.schedules.aim(schedule, datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC))

    come()
    for _ in range(2):
        folder.type("run", "--once")
    assert rounds(folder) == ["labeling"]
    assert len(events(folder, "started")) == 1
    come()
    for _ in range(2):
        folder.type("run", "--once")
    store.close()
    (skipped,) = events(folder, "skipped")
    assert "round 0 is open" in skipped


def test_what_fails_is_said_waited_out_and_gone_on_with_when_it_is_mended(folder: Any) -> None:
    folder.ready(more=f'{AFTER_CLOSE}[model]\nfactory = "nowhere:build"\n')
    folder.type("run", "--once")
    folder.label_all()
    failed = folder.type("run", "--once")
    assert failed.code == 1
    page = shown(folder)
    assert (page["failures"], page["act"]) == (1, "wait")
    assert "nowhere" in page["reason"]
    assert folder.type("run", "--once").code == 0, "nothing is tried before its time"
    assert len(events(folder, "schedule-failed")) == 1
    folder.configure(more=AFTER_CLOSE)
    folder.type("schedule", "resume")
    folder.type("run", "--once")
    assert rounds(folder) == ["closed", "labeling"]


def test_a_worker_tries_at_once_when_the_file_was_mended(folder: Any) -> None:
    folder.ready(more=f'{AFTER_CLOSE}[model]\nfactory = "nowhere:build"\n')
    folder.type("run", "--once")
    folder.label_all()
    watched = Watched(folder.path / "workbench.toml", "worker", Diary(lambda line: None), time.monotonic)
    assert not watched.look(at_once=True)
    assert watched.look(at_once=True), "it waits"
    page = shown(folder)
    assert (page["failures"], page["act"]) == (1, "wait")
    folder.configure(more=AFTER_CLOSE)
    assert watched.look(at_once=True)
    watched.close()
    assert rounds(folder) == ["closed", "labeling"]


def test_the_fault_of_one_project_does_not_stop_another(folder: Any, new_folder: Callable[[], Any]) -> None:
    folder.ready(more=AFTER_CLOSE)
    broken = new_folder()
    broken.write("[project]\nname = 3\n[schedule]\ncron = '61 * * * *'\n")
    done = folder.type("run", str(broken.path), str(folder.path), "--once")
    assert done.code == 1
    assert "schedule.cron" in done.err
    assert rounds(folder) == ["labeling"]


def test_a_folder_without_a_project_and_a_path_that_is_not_there_are_refused(folder: Any) -> None:
    empty = folder.type("run", str(folder.path), "--once")
    assert (empty.code, "workbench init" in empty.err) == (1, True)
    missing = folder.type("run", str(folder.path / "nothing"), "--once")
    assert (missing.code, "There is no" in missing.err) == (1, True)


def test_an_address_for_webhooks_that_is_none_is_refused(folder: Any) -> None:
    folder.ready()
    for address in ("8091", "127.0.0.1:x", "127.0.0.1:70000"):
        refused = folder.type("run", "--webhooks", address)
        assert (refused.code, "HOST:PORT" in refused.err) == (1, True)


def test_a_labeler_that_is_away_fails_no_round_and_is_tried_at_its_own_time(folder: Any) -> None:
    folder.ready(more=AFTER_CLOSE)
    folder.configure(more=AFTER_CLOSE, labeler="label-studio")
    folder.write("LABEL_STUDIO_URL=http://127.0.0.1:9\nLABEL_STUDIO_API_KEY=abc\n", ".env")
    assert folder.type("run", "--once").code == 1
    page = folder.type("round", "show", "--json").json
    assert (page["state"], page["error"]) == ("selected", None)
    assert page["schedule"]["failures"] == 1
    assert page["schedule"]["retry_at"] is not None
    assert "It failed once and is tried again at" in page["schedule"]["next"]
    assert "It failed once" in folder.type("round", "show").err


def test_told_to_leave_inside_a_transaction_a_worker_ends_it_first(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready(more=AFTER_CLOSE)
    reached = []

    def busy(bench: Bench, *, tidy: bool) -> None:
        with bench.store.begin() as tx:
            os.kill(os.getpid(), signal.SIGTERM)
            tx.results.note(bench.project.id, "half", "the first of two")
            time.sleep(0.2)
            tx.results.note(bench.project.id, "half", "the second of two")
        reached.append("after the transaction")
        time.sleep(30)
        reached.append("after the work")

    monkeypatch.setattr("workbench.scheduler.watch.look", busy)
    assert folder.type("run").code == 0
    assert reached in (["after the transaction"], [])
    assert len(events(folder, "half")) == 2
    assert shown(folder)["workers"] == []


def test_a_project_that_is_mended_or_added_is_looked_after_without_a_new_start(
    folder: Any, tmp_path: Path
) -> None:
    folder.ready(more=AFTER_CLOSE)
    lines: list[str] = []
    worker = Worker([folder.path], Diary(lines.append))
    text = (folder.path / "workbench.toml").read_text()
    folder.write("[project", "workbench.toml")
    assert not worker.once()
    assert "is not valid TOML" in lines[-1]
    folder.write(text)
    assert Worker([folder.path], Diary(lines.append)).once()
    assert rounds(folder) == ["labeling"]
    below = folder.path / "data" / "copy"
    below.mkdir(parents=True, exist_ok=True)
    (below / "workbench.toml").write_text(text)
    hidden = tmp_path / "others" / ".hidden"
    hidden.mkdir(parents=True)
    (hidden / "workbench.toml").write_text(text)
    assert find_projects([folder.path, folder.path / "workbench.toml"]) == [folder.path / "workbench.toml"]
    assert find_projects([tmp_path / "others"]) == []
