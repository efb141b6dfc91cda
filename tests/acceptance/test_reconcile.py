"""Mischief at the labeler and in the database: found, named, mended; and the second look finds nothing."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.records import OutgoingTask, Prediction
from workbench.domain.reconcile import Kind, Outcome


def _kinds(typed: Any) -> Counter[tuple[str, str]]:
    return Counter((finding["kind"], finding["outcome"]) for finding in typed.json["findings"])


def _labeler(folder: Any) -> EmbeddedLabeler:
    return EmbeddedLabeler(folder.path / "data" / "labeler.db")


def _there(folder: Any, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Do something in the labeler's own database."""
    with closing(sqlite3.connect(folder.path / "data" / "labeler.db", isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        return database.execute(statement, values).fetchall()


def _here(folder: Any, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Do something in our database."""
    with closing(sqlite3.connect(folder.path / "workbench.db", isolation_level=None)) as database:
        return database.execute(statement, values).fetchall()


def _copy(folder: Any, task_id: str) -> str:
    """Make a second task of one that is there."""
    made = _there(
        folder,
        "INSERT INTO tasks (project, item_key, round_key, content, label, score, model_version, updated_at) "
        "SELECT project, item_key, round_key, content, label, score, model_version, updated_at FROM tasks "
        "WHERE id = ? RETURNING id",
        task_id,
    )
    return str(made[0][0])


@pytest.fixture
def asked(folder: Any) -> Any:
    """A project whose first round waits for answers."""
    folder.ready()
    assert folder.type("round", "ask").code == 0
    return folder


def _labels(folder: Any) -> dict[str, str]:
    return dict(
        _here(
            folder,
            "SELECT item.key, label.value FROM label JOIN item ON item.id = label.item_id WHERE current = 1",
        )
    )


def test_where_both_say_the_same_there_is_nothing_to_say(asked: Any) -> None:
    for _ in range(2):
        looked = asked.type("reconcile", "--json")
        assert (looked.code, looked.json["difference"], looked.json["findings"]) == (0, 0, [])
        assert (looked.json["tasks_here"], looked.json["tasks_there"]) == (6, 6)
    asked.label_all()
    assert asked.type("round", "tell").code == 0
    assert asked.type("reconcile", "--fix", "--json").json["findings"] == []


def _delete_first(folder: Any) -> None:
    _there(folder, "DELETE FROM tasks WHERE id = 1")


def _double_first(folder: Any) -> None:
    _copy(folder, "1")


def _answer_first(folder: Any) -> None:
    folder.person().annotate("1", "low", seconds=1.0)


def _edit_first(folder: Any) -> None:
    made = folder.person().annotate("1", "low", seconds=1.0)
    folder.type("round", "tell")
    folder.person().edit(made, "high")


def _take_back_first(folder: Any) -> None:
    made = folder.person().annotate("1", "low", seconds=1.0)
    folder.type("round", "tell")
    folder.person().delete(made)


def _spoil_order(folder: Any) -> None:
    _there(folder, "UPDATE tasks SET score = 99 WHERE id = 2")


def _forget_predictions(folder: Any) -> None:
    _there(folder, "UPDATE tasks SET label = NULL, score = NULL, model_version = NULL")
    _there(folder, "UPDATE projects SET model_version = ''")


def _release_another(folder: Any) -> None:
    _there(folder, "UPDATE projects SET model_version = 'another'")


def _change_settings(folder: Any) -> None:
    _there(folder, "UPDATE projects SET overlap = 5, show_predictions = 0")


def _forget_an_id(folder: Any) -> None:
    _here(folder, "UPDATE task SET external_id = '77' WHERE external_id = '3'")


def _forget_that_it_was_sent(folder: Any) -> None:
    _here(folder, "UPDATE task SET external_id = NULL, state = 'pending' WHERE external_id = '3'")


def _contradict_a_state(folder: Any) -> None:
    _here(folder, "UPDATE task SET state = 'labeled' WHERE external_id = '2'")


def _say_gone(folder: Any) -> None:
    _here(folder, "UPDATE task SET state = 'gone' WHERE external_id = '2'")


def _contradict_a_label(folder: Any) -> None:
    _answer_first(folder)
    folder.type("round", "tell")
    _here(folder, "UPDATE label SET value = 'high'")


def _lose_a_label(folder: Any) -> None:
    _answer_first(folder)
    folder.type("round", "tell")
    _here(folder, "DELETE FROM label")


def _lose_a_task(folder: Any) -> None:
    _here(folder, "DELETE FROM task WHERE external_id = '4'")
    _there(folder, "DELETE FROM tasks WHERE id = 4")


def _read_in_the_future(folder: Any) -> None:
    _here(folder, "UPDATE labeler_link SET cursor = '2999-01-01 00:00:00.000000'")


def _come_back_after_cancelling(folder: Any) -> None:
    before = _there(folder, "SELECT * FROM tasks WHERE id = 1")[0]
    assert folder.type("round", "cancel").code == 0
    _there(folder, f"INSERT INTO tasks VALUES ({', '.join('?' * len(before))})", *before)


def _kill_while_cancelling(folder: Any) -> None:
    assert folder.type("round", "cancel").code == 0
    _here(folder, "UPDATE task SET state = 'cancelled' WHERE external_id = '1'")


MISCHIEF: dict[str, tuple[Callable[[Any], None], dict[Kind, int]]] = {
    "a deleted task": (_delete_first, {Kind.MISSING: 1}),
    "a doubled task": (_double_first, {Kind.DOUBLED: 1}),
    "an answer that was not read": (_answer_first, {Kind.UNREAD: 1}),
    "an answer that was edited": (_edit_first, {Kind.EDITED: 1}),
    "an answer that was taken back": (_take_back_first, {Kind.DELETED: 1}),
    "a task in the wrong place": (_spoil_order, {Kind.OUT_OF_ORDER: 1}),
    "predictions that were deleted": (_forget_predictions, {Kind.OUT_OF_ORDER: 6, Kind.RELEASE: 1}),
    "another model version": (_release_another, {Kind.RELEASE: 1}),
    "settings by hand": (_change_settings, {Kind.SETTINGS: 2}),
    "a forgotten id": (_forget_an_id, {Kind.UNLINKED: 1}),
    "a forgotten push": (_forget_that_it_was_sent, {Kind.UNLINKED: 1}),
    "a state without answers": (_contradict_a_state, {Kind.STATE: 1}),
    "a task that is not gone": (_say_gone, {Kind.STATE: 1}),
    "a label that nobody gave": (_contradict_a_label, {Kind.LABEL: 1}),
    "a label that was lost": (_lose_a_label, {Kind.LABEL: 1}),
    "a selection without a task": (_lose_a_task, {Kind.UNPLANNED: 1}),
    "a clock that was ahead": (_read_in_the_future, {Kind.CURSOR: 1}),
    "a task of a cancelled round": (_come_back_after_cancelling, {Kind.WITHDRAWN: 1}),
    "a cancellation that was killed": (_kill_while_cancelling, {Kind.WITHDRAWN: 1}),
}


@pytest.mark.parametrize("name", MISCHIEF)
def test_mischief_is_named_then_mended_then_gone(asked: Any, name: str) -> None:
    mischief, expected = MISCHIEF[name]
    mischief(asked)
    before = asked.type("log", "--json").out
    looked = asked.type("reconcile", "--json")
    wanted = Counter({(kind.value, Outcome.FIXABLE.value): count for kind, count in expected.items()})
    assert (looked.code, _kinds(looked)) == (1, wanted)
    assert _kinds(asked.type("reconcile", "--json")) == wanted, "looking changes nothing"
    mended = asked.type("reconcile", "--fix", "--json")
    assert (mended.code, mended.json["difference"]) == (0, 0), mended.json
    assert {kind for kind, outcome in _kinds(mended) if outcome == Outcome.FIXED} >= set(expected)
    again = asked.type("reconcile", "--json")
    assert (again.code, again.json["findings"]) == (0, []), again.json
    told = asked.type("log", "--json").out.removeprefix(before)
    assert all(f"{kind}: " in told for kind in expected), "each repair is told in the audit trail"
