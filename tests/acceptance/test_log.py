"""The audit trail: every move, every correction, every refused answer, with time, actor and words."""

import json
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from workbench.domain.records import NewEvent, Project
from workbench.domain.rounds import ORDER
from workbench.reports.log import OVERLAP, PAGE, follow_log, in_words, read_log
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store

from .conftest import Folder


def _kinds(folder: Folder, *options: str) -> list[str]:
    return [event["kind"] for event in folder.type("log", "--json", *options).json["events"]]


def test_every_move_of_a_round_is_told_once_in_order_and_by_whom(folder: Folder) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.label_all()
    assert folder.type("round", "tell").code == 0
    events = folder.type("log", "--round", "0", "--json").json["events"]
    moves = [event["kind"] for event in events if event["kind"] in set(ORDER)]
    assert moves == [state.value for state in ORDER[1:]]
    assert next(event["kind"] for event in events) == "started"
    assert all("@" in event["actor"] and event["message"] and "+00:00" in event["at"] for event in events)
    assert _kinds(folder)[:1] == ["pool-added"]
    shown = folder.type("round", "show")
    assert all(event["actor"] in shown.err for event in events)


def test_a_corrected_label_names_the_annotator_the_item_and_both_labels(folder: Folder) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person("ada")
    task = ada.next_task("1")
    assert task is not None
    made = ada.annotate(task.task_id, "low", seconds=1.0)
    folder.type("round", "tell")
    assert _kinds(folder, "--kind", "label-revised") == []
    ada.edit(made, "high")
    folder.type("round", "tell")
    ada.delete(made)
    folder.type("round", "tell")
    edited, deleted = folder.type("log", "--kind", "label-revised", "--json").json["events"]
    assert (edited["actor"], edited["round_number"]) == ("ada", 0)
    assert edited["message"] == f"'{task.item_key}': 'low' → 'high'"
    assert "'high' → withdrawn, because an annotation was deleted" in deleted["message"]
    assert [e["kind"] for e in folder.type("log", "--actor", "ada", "--json").json["events"]] == [
        "label-revised"
    ] * 2


def test_a_refused_answer_is_told_once_with_its_reason(folder: Folder) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person("ada")
    task = ada.next_task("1")
    assert task is not None
    ada.inject(task.task_id, [])
    for _ in range(3):
        folder.type("round", "tell")
    (refused,) = folder.type("log", "--kind", "annotation-refused", "--json").json["events"]
    assert (refused["actor"], refused["round_number"]) == ("ada", 0)
    assert refused["message"] == f"'{task.item_key}': nothing is chosen"


def test_a_cancelled_round_and_a_removed_item_are_told(folder: Folder) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.type("round", "cancel")
    folder.type("pool", "remove", "item-01")
    assert {"cancelled", "pool-removed", "pool-added"} <= set(_kinds(folder))


@pytest.fixture
def filled(folder: Folder) -> tuple[Store, Project]:
    """A project whose audit trail is longer than a page."""
    folder.ready()
    store = open_store(f"sqlite:///{folder.path / 'workbench.db'}")
    with store.begin() as tx:
        project = tx.projects.get("a project")
        assert project is not None
        words = [NewEvent(kind="odd" if n % 2 else "even", message=f"{n}") for n in range(2 * PAGE + 5)]
        tx.results.note_all(project.id, words)
    return store, project


def test_a_long_log_is_read_whole_and_in_order(filled: tuple[Store, Project]) -> None:
    store, project = filled
    found = [event.message for event in read_log(store, project, Wanted(kind="odd"))]
    assert found == [str(n) for n in range(1, 2 * PAGE + 5, 2)]
    assert [e.message for e in read_log(store, project, Wanted(kind="even", limit=2))] == [
        str(2 * PAGE + 2),
        str(2 * PAGE + 4),
    ]
    late = datetime.now(UTC) + timedelta(hours=1)
    assert list(read_log(store, project, Wanted(since=late))) == []


def test_following_shows_each_event_once_also_one_with_a_smaller_number_that_came_later(
    filled: tuple[Store, Project], folder: Folder
) -> None:
    store, project = filled
    path = folder.path / "workbench.db"
    looks = iter([10_002, 10_001, None, 10_003])

    def wait() -> None:
        number = next(looks)
        if number is None:
            return
        with sqlite3.connect(path) as connection:
            values = (number, project.id, datetime.now(UTC).isoformat(" "), str(number))
            connection.execute(
                "INSERT INTO event (id, project_id, at, kind, message) VALUES (?, ?, ?, 'late', ?)", values
            )
        connection.close()

    assert OVERLAP > 1
    stream = follow_log(store, project, Wanted(limit=3), wait=wait)
    shown = [next(stream).message for _ in range(6)]
    assert shown[3:] == ["10002", "10001", "10003"]


@pytest.mark.parametrize(("how", "expected"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_following_ends_politely(folder: Folder, how: signal.Signals, expected: int) -> None:
    folder.ready()
    code = "import sys; from workbench.cli.main import main; sys.argv[0] = 'workbench'; main()"
    command = [sys.executable, "-c", code, "log", "--follow", "--json"]
    with subprocess.Popen(
        command, cwd=folder.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["kind"] == "pool-added"
        running.send_signal(how)
        _out, err = running.communicate(timeout=30)
    assert running.returncode == expected, err


def test_a_name_full_of_control_characters_stays_on_its_line(filled: tuple[Store, Project]) -> None:
    store, project = filled
    with store.begin() as tx:
        tx.results.note(project.id, "odd\n", "\x1b[31mred\r\n", actor="ada\x00")
    (event,) = read_log(store, project, Wanted(limit=1))
    assert in_words(event).isprintable()


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--since", "yesterday"), "is no time"), (("--round", "9"), "There is no round")],
)
def test_what_can_not_be_shown_is_explained(folder: Folder, options: tuple[str, ...], words: str) -> None:
    folder.ready()
    typed = folder.type("log", *options)
    assert typed.code in (1, 2)
    assert words in typed.err
