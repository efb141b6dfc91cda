"""Dropped files: bad lines never lose good ones, and no line counts twice."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.file_drop import FileDropLabeler
from connectors.labelers.file_drop_lines import Refused, read_line
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, RemoteAnnotation, TaskType

SPEC = ProjectSpec(title="reviews", task_type=TaskType.TEXT, classes=("cat", "dog"))
KEYS = [f"item-{number}" for number in range(5)]


@pytest.fixture
def labeler(tmp_path: Path) -> Iterator[FileDropLabeler]:
    with FileDropLabeler(tmp_path / "drop") as opened:
        assert opened.open_project(SPEC).project_id == "1"
        guess = Prediction(label="dog", score=0.5, model_version="m")
        opened.send_tasks(
            "1",
            [
                OutgoingTask(item_key=k, round_key="round-0003-ab", content="☃", prediction=guess)
                for k in KEYS
            ],
        )
        yield opened


def drop(labeler: FileDropLabeler, name: str, *lines: dict[str, Any] | str | bytes, end: str = "\n") -> Path:
    path = labeler.folder / "answers" / name
    raw = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"".join(line + end.encode() for line in raw))
    return path


def answers(labeler: FileDropLabeler) -> dict[tuple[str | None, str], RemoteAnnotation]:
    return {
        (task.item_key, annotation.annotator): annotation
        for task in labeler.changed_tasks("1", None)
        for annotation in task.annotations
    }


def labels(labeler: FileDropLabeler) -> dict[tuple[str | None, str], str | None]:
    return {key: annotation.label for key, annotation in answers(labeler).items()}


def ada(task: int, label: str = "cat", **more: Any) -> dict[str, Any]:
    return {"task_id": str(task), "annotator": "ada", "label": label, **more}


def test_tasks_go_out_with_everything_that_is_needed_to_answer_them(labeler: FileDropLabeler) -> None:
    (path,) = (labeler.folder / "outgoing").iterdir()
    assert path.name == "tasks-000000001-000000005.jsonl"
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert first == {
        "task_id": "1",
        "item_key": "item-0",
        "round": "round-0003-ab",
        "content": "☃",
        "note": None,
        "predicted": "dog",
        "place": 0.5,
        "model_version": "m",
        "classes": ["cat", "dog"],
        "task_type": "text",
        "overlap": 1,
        "project": "reviews",
        "project_id": "1",
    }


BAD: dict[str, tuple[Any, str]] = {
    "half": ('{"task_id": "1", "annot', "JSON"),
    "a list": ("[1, 2]", "JSON"),
    "nothing said": ({"task_id": "1", "annotator": "eve"}, "expected one of"),
    "two things said": (ada(1, skipped=True), "expected one of"),
    "nobody": ({"task_id": "1", "label": "cat"}, "no annotator"),
    "no task": ({"annotator": "eve", "label": "cat"}, "no task_id"),
    "a foreign task": (ada(77), "no task here"),
    "a huge number": (ada(10**30), "no task here"),
    "another item": (ada(1, item_key="item-4"), "another item"),
    "a time without zone": (ada(1, at="2026-03-01T09:00:00"), "no zone"),
    "no time": (ada(1, at="yesterday"), "no time"),
    "negative seconds": (ada(1, seconds=-1), "seconds"),
    "endless seconds": ('{"task_id": "1", "annotator": "eve", "label": "cat", "seconds": 1e999}', "seconds"),
    "an unknown key": (ada(1, lable="cat"), "'lable'"),
    "not UTF-8": (b'{"task_id": "1", "annotator": "\xe4", "label": "cat"}', "UTF-8"),
    "half a surrogate": ('{"task_id": "1", "annotator": "\\ud83d", "label": "cat"}', "annotator"),
    "a NUL": ('{"task_id": "1", "annotator": "a\\u0000", "label": "cat"}', "annotator"),
    "deep": ("[" * 100_000, "JSON"),
    "long": ('{"task_id": "1", "annotator": "eve", "label": "' + "x" * 1_000_001 + '"}', "longer"),
    "a deletion of nothing": ({"task_id": "1", "annotator": "eve", "deleted": True}, "never given"),
}


def test_bad_lines_are_kept_with_their_reason_and_lose_no_good_one(labeler: FileDropLabeler) -> None:
    lines = [line for bad, _ in BAD.values() for line in (bad, ada(2))]
    drop(labeler, "mixed.jsonl", ada(1), *lines, ada(3))
    refused = labeler.refused()
    assert [line.line for line in refused] == list(range(2, 2 * len(BAD) + 2, 2))
    for (_, words), line in zip(BAD.values(), refused, strict=True):
        assert words in line.reason
        assert line.file == "mixed.jsonl"
    assert labels(labeler) == {(f"item-{n}", "ada"): "cat" for n in range(3)}
    report = (labeler.folder / "refused.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["line"] for line in report] == [line.line for line in refused]


def test_a_file_that_is_mended_is_read_again_and_its_report_goes(labeler: FileDropLabeler) -> None:
    drop(labeler, "a.jsonl", ada(1), "rubbish")
    assert len(labeler.refused()) == 1
    drop(labeler, "a.jsonl", ada(1), ada(2))
    assert labeler.refused() == []
    assert not (labeler.folder / "refused.jsonl").exists()
    assert len(answers(labeler)) == 2


def test_a_half_written_line_is_read_when_it_is_whole(labeler: FileDropLabeler) -> None:
    whole = json.dumps(ada(1)) + "\n" + json.dumps(ada(2))
    path = labeler.folder / "answers" / "growing.jsonl"
    for length in range(0, len(whole) + 1, 7):
        path.write_text(whole[:length])
        assert len(answers(labeler)) <= 1 + (length == len(whole))
    path.write_text(whole)
    assert len(answers(labeler)) == 2
    assert labeler.refused() == []
    path.write_text(whole + "\n" + json.dumps(ada(3)) + "\n")
    assert len(answers(labeler)) == 3


def test_files_under_a_temporary_name_are_left_alone(labeler: FileDropLabeler) -> None:
    for name in (".a.jsonl", "a.jsonl.tmp", "a.jsonl~", "a.part", "notes.txt"):
        drop(labeler, name, ada(1))
    assert answers(labeler) == {}
    (labeler.folder / "answers" / "a.jsonl.tmp").rename(labeler.folder / "answers" / "a.jsonl")
    assert len(answers(labeler)) == 1


def test_the_same_file_twice_and_its_copies_change_nothing(labeler: FileDropLabeler) -> None:
    path = drop(labeler, "a.jsonl", ada(1), ada(2, "dog"))
    before = answers(labeler)
    drop(labeler, "b.jsonl", ada(1, "dog"))
    corrected = answers(labeler)
    assert corrected[("item-0", "ada")].label == "dog"
    shutil.copy(path, path.with_name("copy of a.jsonl"))
    path.rename(path.with_name("z.jsonl"))
    assert answers(labeler) == corrected != before


def test_back_and_forth_in_one_file_ends_with_the_last_line(labeler: FileDropLabeler) -> None:
    drop(labeler, "a.jsonl", ada(1, "cat"), ada(1, "dog"), ada(1, "cat"))
    assert labels(labeler) == {("item-0", "ada"): "cat"}


def test_the_latest_time_counts_in_whatever_order_files_arrive(labeler: FileDropLabeler) -> None:
    drop(labeler, "a.jsonl", ada(1, "dog", at="2026-03-01T10:00:00+01:00"))
    assert labels(labeler)[("item-0", "ada")] == "dog"
    drop(labeler, "b.jsonl", ada(1, "cat", at="2026-03-01T08:59:59Z"))
    assert labels(labeler)[("item-0", "ada")] == "dog"
    drop(labeler, "c.jsonl", ada(1, "cat", at="2026-03-01T09:00:01Z"))
    assert labels(labeler)[("item-0", "ada")] == "cat"


def test_an_answer_is_edited_and_deleted_by_its_id(labeler: FileDropLabeler) -> None:
    drop(labeler, "a.jsonl", ada(1, answer_id="x", seconds=3), {"answer_id": "x", "label": "dog"})
    found = answers(labeler)[("item-0", "ada")]
    assert (found.annotation_id, found.label, found.seconds) == ("x", "dog", 3.0)
    drop(labeler, "b.jsonl", ada(2, answer_id="x"), {"answer_id": "x", "deleted": True})
    assert answers(labeler) == {}
    assert [line.reason for line in labeler.refused()] == ["answer_id 'x' was used for task 1"]


def test_an_item_is_found_by_key_and_round_and_must_be_the_only_one(labeler: FileDropLabeler) -> None:
    labeler.send_tasks("1", [OutgoingTask(item_key="item-0", round_key="round-0004-ab", content="x")])
    line = {"item_key": "item-0", "annotator": "ada", "label": "cat"}
    drop(labeler, "a.jsonl", line, {**line, "round": 4}, {**line, "round": "round-0003-ab", "label": "dog"})
    by_task = {t.task_id: t.annotations[0].label for t in labeler.changed_tasks("1", None) if t.annotations}
    assert by_task == {"6": "cat", "1": "dog"}
    assert "several tasks" in labeler.refused()[0].reason


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \r\n"])
def test_marks_line_ends_and_empty_lines_of_other_systems_are_fine(
    labeler: FileDropLabeler, end: str
) -> None:
    drop(labeler, "a.jsonl", b"\xef\xbb\xbf" + json.dumps(ada(1)).encode(), ada(2), end=end)
    assert len(answers(labeler)) == 2
    assert labeler.refused() == []


def test_a_task_that_is_taken_back_says_so_and_takes_no_answers(labeler: FileDropLabeler) -> None:
    labeler.delete_tasks("1", ["2", "99"])
    path = labeler.folder / "outgoing" / "update-000000001-000000001.jsonl"
    assert json.loads(path.read_text()) == {"task_id": "2", "withdrawn": True}
    drop(labeler, "a.jsonl", ada(2))
    assert "taken back" in labeler.refused()[0].reason


def test_a_lost_index_is_made_again_from_the_files(labeler: FileDropLabeler) -> None:
    drop(labeler, "a.jsonl", ada(1), ada(3, "dog"), "rubbish")
    labeler.delete_tasks("1", ["5"])
    labeler.set_overlap("1", {"4": 2})
    before, tasks = labels(labeler), list(labeler.all_tasks("1"))
    labeler.close()
    for part in labeler.folder.glob(".index.db*"):
        part.unlink()
    with FileDropLabeler(labeler.folder) as again:
        assert list(again.all_tasks("1")) == tasks
        assert labels(again) == before
        assert len(again.refused()) == 1
        assert again.open_project(SPEC).project_id == "1"
        (new,) = again.send_tasks("1", [OutgoingTask(item_key="new", round_key="r", content="x")])
        assert new.task_id == "6"


def test_a_file_that_could_not_be_written_is_written_later(
    labeler: FileDropLabeler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    new = OutgoingTask(item_key="new", round_key="r", content="x")
    with monkeypatch.context() as patch:
        patch.setattr("connectors.labelers.file_drop_writing.os.fsync", full)
        with pytest.raises(OutcomeUnknown, match="No space left"):
            labeler.send_tasks("1", [new])
        with pytest.raises(LabelerUnreachable, match="No space left"):
            labeler.find_tasks("1", "r", ["new"])
    assert [task.task_id for task in labeler.find_tasks("1", "r", ["new"])] == ["6"]
    assert (labeler.folder / "outgoing" / "tasks-000000006-000000006.jsonl").exists()


def test_five_thousand_answers_in_one_file_are_read(labeler: FileDropLabeler) -> None:
    tasks = [OutgoingTask(item_key=f"many-{n}", round_key="r", content="x") for n in range(5000)]
    sent = labeler.send_tasks("1", tasks)
    drop(labeler, "a.jsonl", *(ada(int(task.task_id)) for task in sent))
    assert len(answers(labeler)) == 5000
    assert len(list((labeler.folder / "outgoing").iterdir())) == 6


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_a_line_holds_it_is_read_or_refused(raw: bytes) -> None:
    with suppress(Refused):
        read_line(raw)


def test_what_can_not_be_read_is_named_and_keeps_nothing_else_from_being_read(
    labeler: FileDropLabeler, tmp_path: Path
) -> None:
    folder = labeler.folder / "answers"
    drop(labeler, "table.csv", "task_id,annotator,label", "2,ada,cat")
    (folder / "folder.jsonl").mkdir()
    (folder / "nowhere.jsonl").symlink_to(tmp_path / "nowhere")
    drop(labeler, "good\nname.jsonl", ada(1), "x")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jsonl"))
    odd.write_text(json.dumps(ada(3)) + "\n")
    assert set(labels(labeler)) == {("item-0", "ada"), ("item-2", "ada")}
    reasons = {refused.file: refused.reason for refused in labeler.refused()}
    assert set(reasons) == {"table.csv", "folder.jsonl", "nowhere.jsonl", "good\nname.jsonl"}
    assert ".jsonl" in reasons["table.csv"]
    (folder / "table.csv").unlink()
    assert "table.csv" not in {refused.file for refused in labeler.refused()}


def test_a_link_gives_nothing_away_of_the_file_it_leads_to(labeler: FileDropLabeler, tmp_path: Path) -> None:
    (tmp_path / "secret.env").write_text("KEY=of-somebody-else\n")
    (labeler.folder / "answers" / "mine.jsonl").symlink_to(tmp_path / "secret.env")
    assert [refused.line for refused in labeler.refused()] == [0]
    assert "of-somebody-else" not in (labeler.folder / "refused.jsonl").read_text()


def test_a_file_that_may_not_be_read_is_read_when_it_may(
    labeler: FileDropLabeler, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(labeler, "closed.jsonl", ada(1))
    drop(labeler, "open.jsonl", ada(2))
    really = os.open

    def refuse(path: Path, *rest: int) -> int:
        if path.name == "closed.jsonl":
            raise PermissionError(13, "Permission denied")
        return really(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        assert set(labels(labeler)) == {("item-1", "ada")}
    assert [refused.reason for refused in labeler.refused()] == []
    assert set(labels(labeler)) == {("item-0", "ada"), ("item-1", "ada")}


@pytest.mark.parametrize("tail", ["", "[]\n", '{"task_id": "x"}\n'])
def test_an_index_that_can_not_be_made_again_is_said_in_words(labeler: FileDropLabeler, tail: str) -> None:
    labeler.close()
    for part in labeler.folder.glob(".index.db*"):
        part.unlink()
    (written,) = (labeler.folder / "outgoing").glob("tasks-*.jsonl")
    shutil.copy(written, written.with_name("tasks-copy.jsonl"))
    with FileDropLabeler(labeler.folder) as again:
        assert len(list(again.all_tasks("1"))) == len(KEYS)
    for part in labeler.folder.glob(".index.db*"):
        part.unlink()
    written.write_text(tail or written.read_text()[:50])
    with pytest.raises(LabelerRefused, match="outgoing"):
        FileDropLabeler(labeler.folder)
