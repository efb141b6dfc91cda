"""What may happen around a worker: folders, files and databases that come, go and are locked."""

import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from workbench.scheduler import worker as worker_module
from workbench.scheduler.bench import Bench
from workbench.scheduler.diary import Diary
from workbench.scheduler.places import find_projects
from workbench.scheduler.watch import Watched
from workbench.scheduler.worker import Worker
from workbench.storage import engine

AFTER_CLOSE = "[schedule]\nafter_close = true\nlook_every = 1\n"


def watched(folder: Any, say: Callable[[str], None] = lambda _line: None) -> Watched:
    return Watched(folder.path / "workbench.toml", "a worker", Diary(say), time.monotonic)


def rounds(folder: Any) -> list[str]:
    return [found["state"] for found in folder.type("round", "list", "--json").json["rounds"]]


def test_a_database_that_is_put_back_from_a_backup_is_the_one_that_counts(
    folder: Any, tmp_path: Path
) -> None:
    folder.ready(more=AFTER_CLOSE)
    database = folder.path / "workbench.db"
    looks = watched(folder)
    assert looks.look(at_once=True)
    folder.label_all()
    before = tmp_path / "before.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(before)) as target:
        source.backup(target)
    assert looks.look(at_once=True)
    assert rounds(folder) == ["closed", "labeling"]
    for left in folder.path.glob("workbench.db*"):
        left.unlink()
    shutil.copy(before, database)
    assert looks.look(at_once=True)
    assert rounds(folder) == ["closed", "labeling"]
    looks.close()


def test_a_database_that_is_not_there_is_said_and_not_made(folder: Any) -> None:
    folder.ready(more=AFTER_CLOSE)
    lines: list[str] = []
    looks = watched(folder, lines.append)
    assert looks.look(at_once=True)
    (folder.path / "workbench.db").rename(folder.path / "away.db")
    assert not looks.look(at_once=True)
    assert "There is no database at" in lines[-1]
    assert not (folder.path / "workbench.db").exists()
    (folder.path / "away.db").rename(folder.path / "workbench.db")
    assert looks.look(at_once=True)
    looks.close()


def test_a_project_that_was_renamed_is_not_begun_anew(folder: Any) -> None:
    folder.ready(more=AFTER_CLOSE)
    text = (folder.path / "workbench.toml").read_text()
    folder.write(text.replace("a project", "another name"))
    done = folder.type("run", "--once")
    assert (done.code, "put the old name back" in done.err) == (1, True)
    folder.write(text)
    assert folder.type("run", "--once").code == 0
    assert rounds(folder) == ["labeling"]


def test_folders_that_are_away_for_a_while_do_not_end_a_worker(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready(more=AFTER_CLOSE)
    away = folder.path.with_name("away")
    lines: list[str] = []
    worker = Worker([folder.path], Diary(lines.append))
    monkeypatch.setattr(worker_module, "SEARCH_SECONDS", 0.0)
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0.01)

    moments: list[str] = []

    def act() -> None:
        moments.append("sweep")
        if len(moments) == 1:
            folder.path.rename(away)
        if len(moments) == 3:
            away.rename(folder.path)
        if len(moments) == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(worker, "_sweep", act)
    worker.run()
    assert sum("There is no" in line for line in lines) == 1
    assert "leaves" in lines[-1]


def test_a_project_whose_file_is_gone_is_said_and_one_behind_a_link_is_found(
    folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready(more=AFTER_CLOSE)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "linked").symlink_to(folder.path)
    (shelf / "astray").symlink_to("/")
    assert find_projects([shelf, folder.path]) == [folder.path / "workbench.toml"]
    other = shelf / "other" / "workbench.toml"
    other.parent.mkdir()
    shutil.copy(folder.path / "workbench.toml", other)
    lines: list[str] = []
    worker = Worker([shelf], Diary(lines.append))
    worker._search()
    other.unlink()
    worker._search()
    assert "is gone" in lines[-1]
    assert [found.path for found in worker.watched] == [folder.path / "workbench.toml"]


@pytest.mark.parametrize("at_work", [True, False])
def test_a_locked_database_does_not_hold_up_who_is_told_to_leave(
    folder: Any, monkeypatch: pytest.MonkeyPatch, at_work: bool
) -> None:
    folder.ready(more=AFTER_CLOSE)
    monkeypatch.setattr(worker_module, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_SECONDS", 120)
    other = sqlite3.connect(folder.path / "workbench.db", isolation_level=None)

    def look(bench: Bench, *, tidy: bool) -> None:
        other.execute("BEGIN IMMEDIATE")
        delay = 0.2 if at_work else 0.0
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGTERM)).start()
        if at_work:
            with bench.store.begin():
                pytest.fail("it is locked")

    monkeypatch.setattr("workbench.scheduler.watch.look", look)
    began = time.monotonic()
    with closing(other):
        assert folder.type("run").code == 0
    assert time.monotonic() - began < 60


def test_told_to_leave_before_it_has_begun_a_worker_leaves_with_0(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready(more=AFTER_CLOSE)
    monkeypatch.setattr(Worker, "__init__", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert folder.type("run").code == 0


def test_what_swallows_the_word_to_leave_hears_it_again(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.ready(more=AFTER_CLOSE)
    monkeypatch.setattr(worker_module, "PATIENCE_SECONDS", 0.2)
    heard = []

    def deaf(_bench: Bench, *, tidy: bool) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        except KeyboardInterrupt:
            heard.append("once")
        time.sleep(60)
        heard.append("never again")

    monkeypatch.setattr("workbench.scheduler.watch.look", deaf)
    assert folder.type("run").code == 0
    assert heard == ["once"]
