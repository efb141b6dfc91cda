"""A round labeled by hand, with an editor: tasks out as JSON lines, answers in as JSON lines."""

import json
from pathlib import Path
from typing import Any

from .conftest import CLASSES, Folder


def _ready(folder: Folder) -> Path:
    folder.ready()
    folder.configure(labeler="file-drop")
    return folder.path / "data" / "drop"


def _tasks(drop: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((drop / "outgoing").glob("tasks-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def _truth(task: dict[str, Any]) -> str:
    return CLASSES[int(task["item_key"][-2:]) % 3]


def _answer(drop: Path, name: str, tasks: list[dict[str, Any]], *more: dict[str, Any] | str) -> None:
    lines = [
        {"task_id": task["task_id"], "annotator": "ada", "label": _truth(task), "seconds": 2}
        for task in tasks
    ]
    text = [line if isinstance(line, str) else json.dumps(line) for line in [*lines, *more]]
    (drop / "answers" / name).write_text("\n".join(text) + "\n", encoding="utf-8")


def test_a_round_is_labeled_with_files(folder: Folder) -> None:
    drop = _ready(folder)
    asked = folder.type("round", "ask", "--json").json
    tasks = _tasks(drop)
    assert [task["item_key"] for task in tasks] == [pick["item_key"] for pick in asked["picked"]]
    assert sorted(task["place"] for task in tasks) == [task["place"] for task in tasks]
    _answer(drop, "monday.jsonl", tasks[:4], "not an answer")
    assert folder.type("round", "tell", "--json").json["progress"]["answered"] == 4
    doctor = folder.type("doctor")
    assert "monday.jsonl, line 5: not one JSON object" in doctor.out + doctor.err
    _answer(drop, "tuesday.jsonl", tasks[3:])
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["pulled"]["versions"]) == ("closed", 2)
    _answer(drop, "monday.jsonl", tasks[:4])
    assert folder.type("round", "tell", "--json").json["pulled"]["versions"] == 0
    wrong = next(name for name in CLASSES if name != _truth(tasks[0]))
    late = {"task_id": tasks[0]["task_id"], "annotator": "ada", "label": wrong}
    _answer(drop, "late.jsonl", [], late)
    assert folder.type("round", "tell", "--json").json["pulled"]["labels"] == 1
    (revised,) = folder.type("log", "--kind", "label-revised", "--json").json["events"]
    assert (revised["actor"], revised["message"]) == (
        "ada",
        f"'{tasks[0]['item_key']}': '{_truth(tasks[0])}' → '{wrong}'",
    )
    second = folder.type("round", "ask", "--json").json
    assert {pick["item_key"] for pick in second["picked"]}.isdisjoint(task["item_key"] for task in tasks)
    assert len(_tasks(drop)) == 12


def test_a_cancelled_round_is_taken_back_from_the_files(folder: Folder) -> None:
    drop = _ready(folder)
    folder.type("round", "ask")
    tasks = _tasks(drop)
    _answer(drop, "a.jsonl", tasks[:1])
    assert folder.type("round", "cancel").code == 0
    (path,) = (drop / "outgoing").glob("update-*.jsonl")
    gone = [json.loads(line) for line in path.read_text().splitlines()]
    assert gone == [{"task_id": task["task_id"], "withdrawn": True} for task in tasks[1:]]
