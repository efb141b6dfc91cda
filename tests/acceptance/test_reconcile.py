"""Mischief at the labeler and in the database: found, named, mended; and the second look finds nothing."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Folder
from workbench.domain.reconcile import Kind, Outcome


def _kinds(typed: Any) -> Counter[tuple[str, str]]:
    return Counter((finding["kind"], finding["outcome"]) for finding in typed.json["findings"])


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


class _Nobody:
    """Reads what commands print where no test is under way."""

    def readouterr(self) -> tuple[str, str]:
        return "", ""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first round waits for answers; made once, copied for each test."""
    path = tmp_path_factory.mktemp("prepared")
    folder = Folder(path, _Nobody())  # type: ignore[arg-type]
    folder.configure()
    folder.numbers()
    words = ["--features", "x,y", "--key", "key", "--label", "label", "--test-share", "0.2"]
    for typed in (["db", "upgrade"], ["pool", "add", "items.csv", *words], ["round", "ask"]):
        assert folder.type(*typed).code == 0
    return path


@pytest.fixture
def asked(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    """A project whose first round waits for answers."""
    return Folder(Path(shutil.copytree(prepared, tmp_path / "asked")), capsys)


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


def test_what_is_meant_to_be_is_reported_and_left_alone(asked: Folder) -> None:
    ada, ben = asked.person("ada"), asked.person("ben")
    ada.annotate("1", "low", seconds=1.0)
    ada.annotate("2", "middle", seconds=1.0)
    ben.annotate(_copy(asked, "2"), "middle", seconds=1.0)
    assert asked.type("round", "tell").code == 0
    _there(asked, "DELETE FROM tasks WHERE id = 1")
    for key in ("round-0000-ffffffff", "somebody else's"):
        _there(asked, "UPDATE tasks SET round_key = ? WHERE id = ?", key, _copy(asked, "3"))
    before = _labels(asked)
    assert len(before) == 2
    for command in (("reconcile",), ("reconcile", "--fix")):
        looked = asked.type(*command, "--json")
        assert (looked.code, looked.json["difference"]) == (0, 0)
        assert _kinds(looked) == {
            (kind.value, "left alone"): 1
            for kind in (Kind.ORPHANED, Kind.DOUBLED, Kind.OTHER_DATABASE, Kind.FOREIGN)
        }
    assert _there(asked, "SELECT count(*) FROM tasks") == [(8,)]
    assert _labels(asked) == before


def test_answers_that_a_labeler_put_back_from_an_older_copy_does_not_hold_are_kept(asked: Folder) -> None:
    asked.person().annotate("1", "low", seconds=1.0)
    assert asked.type("round", "tell").code == 0
    _there(asked, "DELETE FROM annotations")
    _there(asked, "UPDATE tasks SET updated_at = '2020-01-01T00:00:00.000000+00:00' WHERE id = 1")
    before = _labels(asked)
    looked = asked.type("reconcile", "--fix", "--json")
    assert (looked.code, looked.json["difference"]) == (0, 0)
    assert _kinds(looked) == {(Kind.DELETED.value, "left alone"): 1}
    assert _labels(asked) == before


def test_an_untouched_copy_is_removed_even_where_it_is_the_one_we_know(asked: Folder) -> None:
    asked.person().annotate(_copy(asked, "1"), "low", seconds=1.0)
    _copy(asked, "2")
    assert asked.type("reconcile", "--fix").code == 0
    assert _there(asked, "SELECT id FROM tasks ORDER BY id") == [(n,) for n in (2, 3, 4, 5, 6, 7)]
    assert asked.type("reconcile", "--json").json["findings"] == []
    assert len(_labels(asked)) == 1


def test_of_three_copies_only_the_untouched_one_is_removed(asked: Folder) -> None:
    asked.person("ada").annotate("1", "low", seconds=1.0)
    asked.person("ben").annotate(_copy(asked, "1"), "low", seconds=1.0)
    untouched = _copy(asked, "1")
    assert asked.type("reconcile", "--fix").code == 0
    assert _there(asked, "SELECT id FROM tasks ORDER BY id") == [(n,) for n in range(1, 8)]
    assert untouched == "8"
    assert _kinds(asked.type("reconcile", "--json")) == {("doubled", "left alone"): 1}


def test_a_renamed_class_is_named_with_what_uses_it_and_nothing_is_changed(asked: Folder) -> None:
    asked.person().annotate("1", "middle", seconds=1.0)
    assert asked.type("round", "tell").code == 0
    classes = _there(asked, "SELECT classes FROM projects")[0][0]
    _there(asked, "UPDATE projects SET classes = replace(classes, 'middle', 'medium')")
    _there(asked, "DELETE FROM tasks WHERE id = 6")
    asked.person().annotate("2", "medium", seconds=1.0)
    asked.person().inject(
        "3", [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["middle"]}}]
    )
    looked = asked.type("reconcile", "--fix")
    assert looked.code == 1
    words = " ".join((looked.out + looked.err).split())
    assert "'middle' is missing there (1 labels and 1 annotations use it)" in words
    assert "'medium' is unknown here" in words
    assert "write the class 'middle' again" in words
    assert _there(asked, "SELECT classes FROM projects") == [(classes.replace("middle", "medium"),)]
    assert _there(asked, "SELECT count(*) FROM tasks") == [(5,)], (
        "nothing is sent to a project that does not fit"
    )
    assert list(_labels(asked).values()) == ["middle"]
    # The class is put back: what was given meanwhile under its old name is a label now.
    _there(asked, "UPDATE projects SET classes = ?", classes)
    mended = asked.type("reconcile", "--fix", "--json")
    assert mended.code == 0
    assert {(Kind.MISREAD, Outcome.FIXED), (Kind.MISSING, Outcome.FIXED)} <= set(_kinds(mended))
    assert sorted(_labels(asked).values()) == ["middle", "middle"]
    assert asked.type("reconcile", "--json").json["findings"] == []
    assert asked.type("round", "tell").code == 0
    assert asked.type("reconcile", "--json").json["findings"] == []


def test_labels_given_under_another_tag_are_kept_and_named(asked: Folder) -> None:
    asked.person().annotate("1", "low", seconds=1.0)
    assert asked.type("round", "tell").code == 0
    _there(asked, """UPDATE annotations SET result = replace(result, '"label"', '"other"')""")
    looked = asked.type("reconcile", "--fix", "--json")
    assert (looked.code, _kinds(looked)) == (1, {("control", "needs a person"): 1})
    assert "old name" in looked.json["findings"][0]["action"]
    assert list(_labels(asked).values()) == ["low"]


def test_a_project_that_is_gone_is_never_made_again_unasked(asked: Folder) -> None:
    asked.person().annotate("1", "low", seconds=1.0)
    assert asked.type("round", "tell").code == 0
    _there(asked, "DELETE FROM tasks")
    _there(asked, "DELETE FROM projects")
    for command in (("reconcile",), ("reconcile", "--fix")):
        looked = asked.type(*command)
        assert looked.code == 1
        assert "no project 1" in " ".join(looked.out.split())
        assert "--new-project" in looked.out
        assert _there(asked, "SELECT count(*) FROM projects") == [(0,)]
    assert asked.type("reconcile", "--new-project").code == 2
    mended = asked.type("reconcile", "--fix", "--new-project", "--json")
    assert mended.code == 0
    assert _kinds(mended) == {
        ("missing", "fixed"): 5,
        ("release", "fixed"): 1,
        ("orphaned", "left alone"): 1,
    }
    assert len(_labels(asked)) == 1
    assert asked.type("reconcile", "--json").json["difference"] == 0
    answered = []
    while (task := asked.person().next_task("2")) is not None:
        asked.person().annotate(task.task_id, "low", seconds=1.0)
        answered.append(task.item_key)
    assert len(answered) == 5
    assert asked.type("round", "tell", "--json").json["state"] == "closed"


def test_a_task_that_shows_something_else_is_named(asked: Folder) -> None:
    _there(asked, "UPDATE tasks SET content = 'something else' WHERE id IN (1, 2)")
    asked.person().annotate("2", "low", seconds=1.0)
    looked = asked.type("reconcile", "--fix", "--json")
    assert looked.code == 1
    wrong = {f["task"]: f for f in looked.json["findings"] if f["kind"] == Kind.CONTENT}
    assert {f["outcome"] for f in wrong.values()} == {"needs a person"}
    assert "'something else', expected 'x: " in wrong["1"]["found"]
    assert "Delete task 1" in wrong["1"]["action"]
    assert "Look at its answers" in wrong["2"]["action"]
    _there(asked, "DELETE FROM tasks WHERE id IN (1, 2)")
    assert asked.type("reconcile", "--fix").code == 0
    assert _there(asked, "SELECT count(*) FROM tasks WHERE content = 'something else'") == [(0,)]


def test_tasks_of_ours_that_the_database_does_not_know_ask_for_a_person(asked: Folder) -> None:
    later = _there(asked, "SELECT round_key FROM tasks")[0][0].replace("0000", "0007")
    _there(asked, "UPDATE tasks SET round_key = ? WHERE id = ?", later, _copy(asked, "1"))
    looked = asked.type("reconcile", "--fix")
    assert looked.code == 1
    assert "put back from an older copy" in " ".join(looked.out.split())
    assert _there(asked, "SELECT count(*) FROM tasks") == [(7,)]


def test_what_is_missing_of_a_closed_round_is_noted_and_not_sent(asked: Folder) -> None:
    asked.label_all(limit=3)
    assert asked.type("round", "tell", "--close").code == 0
    gone = _here(asked, "SELECT external_id FROM task WHERE state = 'open' ORDER BY external_id LIMIT 1")
    _there(asked, "DELETE FROM tasks WHERE id = ?", gone[0][0])
    assert _kinds(asked.type("reconcile", "--fix", "--json")) == {("missing", "fixed"): 1}
    assert _here(asked, "SELECT count(*) FROM task WHERE state = 'gone'") == [(1,)]
    assert _there(asked, "SELECT count(*) FROM tasks") == [(5,)]
    assert asked.type("reconcile", "--json").json["findings"] == []


def test_one_round_alone_can_be_compared(asked: Folder) -> None:
    asked.label_all()
    assert asked.type("round", "tell").code == 0
    assert asked.type("round", "ask").code == 0
    _copy(asked, "7")
    assert asked.type("reconcile", "--round", "0", "--json").json["findings"] == []
    assert _kinds(asked.type("reconcile", "--round", "1", "--json")) == {("doubled", "with --fix"): 1}
    assert "There is no round 9" in asked.type("reconcile", "--round", "9").err


def test_a_round_that_another_process_works_on_is_not_touched(asked: Folder) -> None:
    _delete_first(asked)
    _here(
        asked,
        "UPDATE round SET lease_owner = 'elsewhere:1:1', "
        "lease_until = datetime('now', '+1 minutes') || '.000000'",
    )
    assert asked.type("reconcile").code == 1
    refused = asked.type("reconcile", "--fix")
    assert refused.code == 1
    assert "elsewhere" in refused.err
    assert _there(asked, "SELECT count(*) FROM tasks") == [(5,)]


def test_a_terminal_shows_the_first_of_many(asked: Folder) -> None:
    for _ in range(30):
        _there(asked, "UPDATE tasks SET round_key = 'theirs' WHERE id = ?", _copy(asked, "1"))
    looked = asked.type("reconcile")
    assert looked.code == 0
    assert "foreign: 30 (left alone)" in looked.out
    assert looked.out.count("theirs") == 20
    assert "10 more" in looked.err
    assert "no difference" in looked.err
    assert len(asked.type("reconcile", "--json").json["findings"]) == 30


def test_before_the_first_round_there_is_nothing_to_compare(folder: Folder) -> None:
    folder.ready()
    assert folder.type("reconcile", "--fix").code == 0
