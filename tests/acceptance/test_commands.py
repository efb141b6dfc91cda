"""The commands, typed as a user types them, on a small project."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path / "workbench.db") as database:
        return list(database.iterdump())


def test_a_whole_round_from_init_to_export(folder: Any) -> None:
    made = folder.type(
        "init", "--name", "my numbers", "--task", "feature-classification", "--classes", "low,middle,high"
    )
    assert made.code == 0
    text = (folder.path / "workbench.toml").read_text()
    folder.write(text.replace('# kind = "label-studio"', 'kind = "embedded"'))
    folder.numbers()
    assert folder.type("db", "upgrade").code == 0
    assert folder.type("db", "status").code == 0
    added = folder.type(
        "pool",
        "add",
        "items.csv",
        "--features",
        "x,y",
        "--key",
        "key",
        "--label",
        "label",
        "--test-share",
        "0.3",
        "--json",
    )
    assert added.json["pool"] + added.json["test"] == 40
    again = folder.type(
        "pool", "add", "items.csv", "--features", "x,y", "--key", "key", "--label", "label", "--json"
    )
    assert (again.json["pool"], again.json["known"]) == (0, 40)
    asked = folder.type("round", "ask", "--batch", "6", "--json").json
    assert (asked["round"], asked["state"], len(asked["picked"])) == (0, "labeling", 6)
    served = folder.label_all()
    assert served == [pick["item_key"] for pick in asked["picked"]], "the most wanted is served first"
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["pulled"]["labels"]) == ("closed", 6)
    second = folder.type("round", "ask", "--batch", "6", "--json").json
    assert {pick["reason"] for pick in second["picked"]} <= {"uncertain", "control"}
    scores = [p["score"] for p in second["picked"] if p["reason"] == "uncertain"]
    assert all(score is not None and score >= 0 for score in scores)
    assert folder.type("round", "list", "--json").json["rounds"][1]["state"] == "labeling"
    shown = folder.type("round", "show", "0", "--json").json
    assert all(pick["label"] for pick in shown["picks"])
    report = folder.type("report", "--json").json
    assert report["budget_curve"][0]["labels"] == 6
    assert folder.type("report", "--output", "r.html").code == 0
    page = (folder.path / "r.html").read_text()
    assert "<svg" in page
    outside = (
        page.replace("http://www.w3.org", "")
        .replace("http://purl.org", "")
        .replace("http://creativecommons", "")
    )
    assert "://" not in outside
    for name in ("labels.csv", "labels.parquet", "labels.jsonl"):
        assert folder.type("labels", "export", name).code == 0
    exported = pd.read_csv(folder.path / "labels.csv")
    assert len(exported) == 6
    assert json.loads(exported["annotators"][0]) == ["ada"]
    assert len(pd.read_parquet(folder.path / "labels.parquet")) == len(
        (folder.path / "labels.jsonl").read_text().splitlines()
    )


def test_telling_a_part_keeps_the_round_open_and_close_goes_on(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.label_all(limit=4)
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["progress"]["answered"], told["pulled"]["labels"]) == ("labeling", 4, 4)
    before = _dump(folder.path)
    again = folder.type("round", "tell", "--json").json
    assert again["pulled"] == {"versions": 0, "labels": 0, "strangers": 0, "late": 0}
    assert _dump(folder.path) == before, "telling twice changes nothing"
    assert folder.type("round", "tell", "--close", "--json").json["state"] == "closed"
    before = _dump(folder.path)
    assert folder.type("round", "tell").code == 0
    assert _dump(folder.path) == before


def test_edits_and_deletions_after_the_round_are_followed(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person()
    first = ada.next_task("1")
    edited = ada.annotate(first.task_id, "low", seconds=1.0)
    second = ada.next_task("1")
    deleted = ada.annotate(second.task_id, "low", seconds=1.0)
    folder.label_all(ada)
    assert folder.type("round", "tell", "--json").json["state"] == "closed"
    ada.edit(edited, "high")
    ada.delete(deleted)
    told = folder.type("round", "tell", "--json").json
    assert told["pulled"]["labels"] == 2
    picks = {p["item"]: p for p in folder.type("round", "show", "0", "--json").json["picks"]}
    assert picks[first.item_key]["label"] == "high"
    assert picks[second.item_key]["label"] is None
    assert "deleted" in picks[second.item_key]["answers"]
    attention = folder.type("report", "--json").json["attention"]
    assert {row["item"] for row in attention} == {second.item_key}


def _rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path / "workbench.db")) as database:
        return database.execute(query).fetchall()


def test_an_edit_after_the_round_is_learnt_from_and_leaves_the_round_as_it_was(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person()
    first = ada.next_task("1")
    edited = ada.annotate(first.task_id, "low", seconds=1.0)
    folder.label_all(ada)
    assert folder.type("round", "tell", "--json").json["state"] == "closed"
    kept = [f"SELECT * FROM {table}" for table in ("budget_point", "metric", "round", "model_run")]
    before = [_rows(folder.path, query) for query in kept]
    hashes = {row[0] for row in _rows(folder.path, "SELECT data_hash FROM model_run")}
    ada.edit(edited, "high" if int(first.item_key[-2:]) % 3 != 2 else "middle")
    assert folder.type("round", "tell", "--json").json["pulled"]["labels"] == 1
    assert [_rows(folder.path, query) for query in kept] == before
    assert folder.type("round", "ask").code == 0
    new = _rows(folder.path, "SELECT data_hash, labels FROM model_run ORDER BY id")[-1]
    assert new[0] not in hashes, "the next model learns the new revision"
    revisions = "SELECT revision, current FROM label JOIN item ON item.id = item_id WHERE item.key = "
    assert _rows(folder.path, f"{revisions}'{first.item_key}' ORDER BY revision") == [(1, 0), (2, 1)]
    assert _rows(folder.path, kept[0]) == before[0]


def test_what_can_not_be_a_label_is_kept_marked_and_shown(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person()
    unknown = ada.next_task("1")
    ada.inject(
        unknown.task_id,
        [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["huge"]}}],
    )
    empty = ada.next_task("1")
    ada.inject(empty.task_id, [])
    skipped = ada.next_task("1")
    keeps = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}]
    ada.inject(skipped.task_id, keeps, skipped=True)
    folder.label_all(ada)
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["progress"]["invalid"], told["pulled"]["labels"]) == ("labeling", 2, 3)
    picks = {p["item"]: p for p in folder.type("round", "show", "--json").json["picks"]}
    for task, state in ((unknown, "invalid"), (empty, "invalid"), (skipped, "skipped")):
        assert (picks[task.item_key]["label"], picks[task.item_key]["task"]) == (None, state)
    assert "unknown-label" in picks[unknown.item_key]["answers"]
    assert "nothing that can be a label" in folder.type("round", "tell").err


def test_two_annotators_agree_disagree_and_are_counted(folder: Any) -> None:
    folder.ready(more="overlap = 2")
    folder.type("round", "ask")
    ada, ben = folder.person("ada"), folder.person("ben")
    task = ada.next_task("1")
    ada.annotate(task.task_id, "low", seconds=3.0)
    ben.annotate(task.task_id, "high", seconds=5.0)
    folder.label_all(ada)
    folder.label_all(ben)
    assert folder.type("round", "tell", "--json").json["state"] == "closed"
    report = folder.type("report", "--json").json
    assert [(r["item"], r["matter"]) for r in report["attention"]] == [(task.item_key, "annotators disagree")]
    people = {row["annotator"]: row for row in report["annotators"]}
    assert (people["ada"]["annotations"], people["ada"]["seconds"]) == (6, 13.0)
    assert (people["ben"]["annotations"], people["ben"]["seconds"]) == (6, 15.0)


def test_a_cancelled_round_gives_its_items_back_and_keeps_its_answers(folder: Any) -> None:
    folder.ready()
    asked = folder.type("round", "ask", "--json").json
    (answered,) = folder.label_all(limit=1)
    assert folder.type("round", "cancel", "--json").json["state"] == "cancelled"
    stats = folder.type("pool", "stats", "--json").json
    assert stats["chosen"] == 1
    nxt = folder.type("round", "ask", "--json").json
    assert nxt["round"] == asked["round"] + 1
    assert answered not in [pick["item_key"] for pick in nxt["picked"]]


def test_a_hard_cap_cuts_the_batch_and_then_stops(folder: Any) -> None:
    folder.ready(more="[budget]\nmax_labels = 8\nper_annotation = 0.5")
    folder.type("round", "ask")
    folder.label_all()
    folder.type("round", "tell")
    assert len(folder.type("round", "ask", "--json").json["picked"]) == 2
    folder.label_all()
    assert folder.type("round", "tell", "--json").json["state"] == "closed"
    stopped = folder.type("round", "ask")
    assert stopped.code == 1
    assert "9 labels where 8 are allowed" in stopped.err
    assert "Raise the cap" in stopped.err
    curve = folder.type("report", "--json").json["budget_curve"]
    assert [(point["labels"], point["cost"]) for point in curve] == [(6, 3.0), (8, 4.0)]


def test_the_same_seed_gives_the_same_picks(new_folder: Any) -> None:
    picked = []
    for _ in range(2):
        folder = new_folder()
        folder.ready()
        folder.type("round", "ask")
        folder.label_all()
        folder.type("round", "tell")
        asked = folder.type("round", "ask", "--json").json
        picked.append([(p["item_key"], p["score"], p["reason"]) for p in asked["picked"]])
    assert picked[0] == picked[1]


def test_the_loop_works_in_python_without_a_labeling_tool(folder: Any) -> None:
    from workbench import open_project

    folder.ready()
    with open_project(folder.path / "workbench.toml") as project:
        for number in range(2):
            batch = project.ask(5)
            assert batch.round == number
            told = project.tell({key: ("low", "middle", "high")[int(key[-2:]) % 3] for key in batch.keys})
            assert told.round is not None
            assert told.round.state == "closed"
        curve = project.curve()
    assert list(curve.columns) == [
        "round",
        "labels",
        "annotations",
        "seconds",
        "cost",
        "metric",
        "value",
        "low",
        "high",
    ]
    assert curve["labels"].tolist() == [5, 10]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("demo",),
        ("init",),
        ("doctor",),
        ("report",),
        ("serve",),
        ("pool", "add"),
        ("pool", "stats"),
        ("run",),
        ("schedule", "show"),
        ("schedule", "pause"),
        ("schedule", "resume"),
        ("schedule", "now"),
        ("round", "ask"),
        ("round", "tell"),
        ("round", "list"),
        ("round", "show"),
        ("round", "resume"),
        ("round", "cancel"),
        ("labels", "export"),
        ("db", "upgrade"),
        ("db", "status"),
    ],
)
def test_every_command_has_help_with_an_example(folder: Any, words: tuple[str, ...]) -> None:
    shown = folder.type(*words, "--help")
    assert shown.code == 0
    if words:
        assert "Example" in shown.out


def test_wrong_use_is_exit_2(folder: Any) -> None:
    assert folder.type("round", "ask", "--batch", "none").code == 2
    assert folder.type("nonsense").code == 2


def test_a_cap_that_a_person_changes_counts_at_once_and_the_trail_says_who(folder: Any) -> None:
    folder.ready(more="[budget]\nmax_labels = 8\nper_annotation = 0.5")
    folder.type("round", "ask")
    folder.label_all()
    folder.type("round", "tell")
    lowered = folder.type("budget", "set", "max_labels=4")
    assert lowered.code == 0
    assert "Lowered max_labels from 8 to 4." in lowered.err
    assert "6 is spent or promised already, and max_labels is 4: nothing further is bought" in lowered.err
    assert "7 labels where 4 are allowed" in folder.type("round", "ask").err
    raised = folder.type("budget", "set", "max_labels=11", "target=0.9", "--json").json
    assert raised["changed"] == "Raised max_labels from 4 to 11, changed target from none to 0.9"
    assert raised["notes"] == []
    assert len(folder.type("round", "ask", "--json").json["picked"]) == 5
    shown = {row["key"]: row for row in folder.type("budget", "show", "--json").json["terms"]}
    assert (shown["max_labels"]["value"], shown["max_labels"]["file"]) == (11, 8)
    assert "@" in shown["max_labels"]["changed_by"]
    assert shown["max_cost"]["changed_by"] is None
    table = folder.type("budget", "show").out
    assert "max_labels" in table
    assert "workbench.toml: 8" in table
    assert "people have changed: max_labels is 11 (workbench.toml: 8)" in folder.type("doctor").err
    assert "Raised max_labels from 4 to 11" in folder.type("log").out
    folder.type("budget", "reset", "max_labels")
    assert folder.type("budget", "set", "max_labels=8").err.endswith("nothing was changed.\n")


def test_a_term_that_can_not_be_is_refused_with_what_was_expected(folder: Any) -> None:
    folder.ready()
    typed = folder.type("budget", "set", "max_labels=0", "target=90", "per_hour=3")
    assert typed.code == 1
    for words in (
        "max_labels: found '0'",
        "target: found '90', expected a share",
        "per_hour: is nothing that",
    ):
        assert words in typed.err
    assert folder.type("budget", "reset", "seed").code == 1
    assert folder.type("budget", "set", "max_labels").code == 2
    assert folder.type("budget", "show", "--json").json["terms"][0]["value"] is None
