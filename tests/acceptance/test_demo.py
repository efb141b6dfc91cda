"""The demonstration: same seed, same result; killed and run again, same result; nothing doubled."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

WORKBENCH = Path(sys.executable).with_name("workbench")
OPTIONS = ["--rounds", "2", "--batch", "12", "--seed", "7", "--json"]


def _demo(directory: Path, *options: str) -> "subprocess.Popen[str]":
    command = [WORKBENCH, "demo", "--directory", directory, *OPTIONS, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _result(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def _kill_when(directory: Path, process: "subprocess.Popen[str]", labels: int, how: signal.Signals) -> None:
    """End the demonstration as soon as the database holds so many labels."""
    for _ in range(1000):
        assert process.poll() is None, "the demonstration ended before it could be killed"
        if _count(directory, "SELECT count(*) FROM label") >= labels:
            break
        time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=60)


def _count(directory: Path, query: str) -> int:
    path = directory / "workbench.db"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as database:
            return int(database.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed demonstration gives."""
    return _result(_demo(tmp_path_factory.mktemp("whole") / "demo", "--labeler", "simulated"))


def test_the_same_seed_gives_the_same_picks_and_curves(tmp_path: Path, whole: dict[str, Any]) -> None:
    results = [whole, _result(_demo(tmp_path / "demo", "--labeler", "simulated"))]
    assert results[0]["rounds"] == results[1]["rounds"]
    rounds = results[0]["rounds"]
    assert [row["round"] for row in rounds] == [0, 1]
    keys = {"round", "labels", "annotations", "seconds", "cost", "accuracy", "accuracy_low", "accuracy_high"}
    assert set(rounds[0]) == keys | {"control_accuracy", "picked"}
    picked = [key for row in rounds for key in row["picked"]]
    assert len(picked) == len(set(picked)) == 24
    assert Path(results[0]["report"]).exists()
    assert Path(results[0]["database"]).exists()
    assert set(results[0]) == {"rounds", "database", "report", "label_studio_url"}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle_it_goes_on_to_the_same_result(
    tmp_path: Path, how: signal.Signals, whole: dict[str, Any]
) -> None:
    interrupted = _demo(tmp_path / "parts", "--labeler", "simulated")
    _kill_when(tmp_path / "parts", interrupted, 8, how)
    assert interrupted.returncode in (-how, 130)
    again = _result(_demo(tmp_path / "parts", "--labeler", "simulated"))
    assert again["rounds"] == whole["rounds"]
    finished = _result(_demo(tmp_path / "parts", "--labeler", "simulated"))
    assert finished == again, "run on a finished directory it says the same again"


def test_a_directory_with_other_options_is_refused(tmp_path: Path) -> None:
    _result(_demo(tmp_path / "a", "--labeler", "simulated", "--rounds", "1"))
    other = _demo(tmp_path / "a", "--labeler", "simulated", "--rounds", "3")
    _, err = other.communicate(timeout=120)
    assert other.returncode == 1
    assert "other options" in err
    assert "--directory" in err


@pytest.mark.external
def test_on_a_real_label_studio_labels_and_tasks_agree_and_nothing_is_doubled(
    tmp_path: Path, label_studio_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_BIN", str(label_studio_program))
    directory = tmp_path / "demo"
    more = ("--rounds", "3")
    interrupted = _demo(directory, *more)
    _kill_when(directory, interrupted, 8, signal.SIGKILL)
    result = _result(_demo(directory, *more))
    before = _dump(directory)
    assert _result(_demo(directory, *more)) == result
    assert _dump(directory) == before, "telling again changes nothing"
    with sqlite3.connect(directory / "label-studio" / "label_studio.sqlite3") as studio:
        tasks = studio.execute("SELECT id, data FROM task").fetchall()
        answers = studio.execute(
            "SELECT task_id, was_cancelled, result FROM task_completion WHERE was_cancelled = 0"
        ).fetchall()
    keys = [json.loads(data)["item_id"] for _, data in tasks]
    assert sorted(keys) == sorted(key for row in result["rounds"] for key in row["picked"])
    assert len(keys) == len(set(keys))
    labels = _count(
        directory, "SELECT count(*) FROM label WHERE \"current\" AND status = 'agreed' AND value IS NOT NULL"
    )
    assert len({task for task, _, _ in answers}) == labels == result["rounds"][-1]["labels"]
    assert _count(directory, "SELECT count(*) FROM annotation WHERE deleted") == 1
    assert _count(directory, "SELECT count(*) FROM label WHERE status = 'withdrawn'") == 1
    assert _count(directory, "SELECT max(revision) FROM label") == 2
    assert not (directory / "label-studio" / "server.json").exists(), "the server was stopped"


def _dump(directory: Path) -> list[str]:
    """All of the database, but how far the labeler was read: that moves on though nothing happens there."""
    with sqlite3.connect(directory / "workbench.db") as database:
        copy = sqlite3.connect(":memory:")
        database.backup(copy)
    copy.execute("UPDATE labeler_link SET cursor = NULL")
    dump = list(copy.iterdump())
    copy.close()
    return dump
