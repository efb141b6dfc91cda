"""What users get wrong or what breaks under them: what was found, what was expected, what to type."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from workbench.steps.holders import name_of

MODELS = """
import torch
from torch import nn

def no_dropout(n_classes, input_shape):
    return nn.Linear(input_shape[0], n_classes)

class Nan(nn.Module):
    def __init__(self, n_classes, input_shape):
        super().__init__()
        self.body = nn.Sequential(nn.Dropout(0.2), nn.Linear(input_shape[0], n_classes))
    def forward(self, x):
        return self.body(x) * float("nan")

def wrong_shape(n_classes, input_shape):
    return nn.Sequential(nn.Dropout(0.2), nn.Linear(input_shape[0], n_classes + 2))

def not_a_module(n_classes, input_shape):
    return "a string"

def good(n_classes, input_shape):
    return nn.Sequential(nn.Linear(input_shape[0], 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, n_classes))
"""


def _fails(typed: Any, *words: str) -> None:
    assert typed.code == 1, typed
    assert "Traceback" not in typed.err
    for word in words:
        assert word in typed.err, typed.err


@pytest.mark.parametrize(
    "words", [("doctor",), ("round", "ask"), ("round", "list"), ("db", "upgrade"), ("report",)]
)
def test_without_a_configuration_the_way_to_one_is_named(folder: Any, words: tuple[str, ...]) -> None:
    typed = folder.type(*words)
    assert typed.code == 1
    assert "no workbench.toml" in typed.err
    assert "workbench init" in typed.err


def test_every_fault_of_a_configuration_is_reported_at_once(folder: Any) -> None:
    folder.write(
        """
[project]
name = "x"
task = "images"
sed = 3
[round]
batch_size = "many"
[labeler]
pictures = "served"
[budgt]
max_labels = 3
"""
    )
    typed = folder.type("doctor")
    assert typed.code == 1
    for word in (
        "project.name",
        "project.task",
        "project.classes: missing",
        "did you mean 'seed'",
        "round.batch_size",
        "'many'",
        "serve_url",
        "did you mean 'budget'",
    ):
        assert word in typed.err, word


def test_one_class_is_no_classification(folder: Any) -> None:
    folder.configure(classes=("only",))
    _fails(folder.type("db", "upgrade"), "project.classes", "at least 2")


def test_an_address_to_be_called_at_holds_no_password(folder: Any) -> None:
    """It is written into the database with each round, and shown at the labeler."""
    folder.configure(more='webhook_url = "https://ada:hunter-two@example.com"')
    typed = folder.type("db", "upgrade")
    _fails(typed, "labeler.webhook_url", "without user name")
    assert "hunter-two" not in typed.err


def test_a_configuration_that_is_no_toml_is_explained(folder: Any) -> None:
    folder.write("[project\nname=")
    _fails(folder.type("db", "upgrade"), "not valid TOML")


def test_init_overwrites_nothing(folder: Any) -> None:
    assert folder.type("init", "--name", "first one").code == 0
    before = (folder.path / "workbench.toml").read_text()
    _fails(folder.type("init"), "is there already")
    assert (folder.path / "workbench.toml").read_text() == before


def test_init_names_the_folder_to_go_to(folder: Any) -> None:
    assert "cd 'a project' " in folder.type("init", "a project").err
    assert "  cd " not in folder.type("init").err


def test_an_empty_database_and_an_older_one_name_the_upgrade(folder: Any) -> None:
    folder.configure()
    _fails(folder.type("round", "ask"), "no database at", "workbench db upgrade")
    assert folder.type("db", "status").code == 1


def test_a_database_of_a_newer_version_is_refused(folder: Any) -> None:
    folder.ready()
    with sqlite3.connect(folder.path / "workbench.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    _fails(folder.type("round", "ask"), "9999", "newer workbench", "pip install --upgrade")


def test_an_empty_pool_is_named_with_the_way_to_fill_it(folder: Any) -> None:
    folder.configure()
    folder.type("db", "upgrade")
    _fails(folder.type("round", "ask"), "pool is empty", "workbench pool add")


def test_a_batch_larger_than_the_pool_names_what_fits(folder: Any) -> None:
    folder.ready(10, test_share="0")
    _fails(folder.type("round", "ask", "--batch", "11"), "10 items left", "--batch 10")
    assert folder.type("round", "list", "--json").json["rounds"] == []


def test_labels_of_one_class_only_lead_to_another_coverage_round(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    ada = folder.person()
    while task := ada.next_task("1"):
        ada.annotate(task.task_id, "low", seconds=1.0)
    assert folder.type("round", "tell", "--json").json["state"] == "closed"
    asked = folder.type("round", "ask", "--json").json
    assert {pick["reason"] for pick in asked["picked"]} <= {"coverage", "control"}


def test_a_second_ask_and_an_early_tell_are_refused(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    _fails(folder.type("round", "ask"), "waiting for its labels", "workbench round tell")
    folder.type("round", "cancel")
    _fails(folder.type("round", "resume"), "No round is open", "workbench round ask")
    _fails(folder.type("round", "show", "7"), "no round 7", "workbench round list")


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("key,x\na,1\n", ("--features", "x,z"), ("'z'", "x")),
        ("key,x\na,1\na,2\n", ("--features", "x", "--key", "key"), ("'a'",)),
        ("", ("--features", "x"), ("empty",)),
        ("key,x\na,1\n", (), ("--text",)),
    ],
)
def test_a_table_that_does_not_fit_is_explained(
    folder: Any, content: str, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    folder.configure()
    folder.type("db", "upgrade")
    folder.write(content, "t.csv")
    typed = folder.type("pool", "add", "t.csv", *options)
    assert typed.code == 1
    for word in words:
        assert word in typed.err, typed.err


def test_missing_cells_are_listed_and_the_rest_is_taken(folder: Any) -> None:
    folder.configure()
    folder.type("db", "upgrade")
    folder.write("key,x,y\na,1,2\nb,,2\nc,three,2\nd,4,5\n", "t.csv")
    added = folder.type("pool", "add", "t.csv", "--features", "x,y", "--key", "key", "--json").json
    assert (added["pool"], len(added["broken"])) == (2, 2)


def test_a_key_that_comes_again_with_other_content_changes_nothing(folder: Any) -> None:
    folder.ready()
    folder.write("key,x,y\nitem-01,9,9\nnew,1,1\n", "again.csv")
    _fails(
        folder.type("pool", "add", "again.csv", "--features", "x,y", "--key", "key"),
        "item-01",
        "--prefix",
        "nothing was added",
    )
    assert folder.type("pool", "stats", "--json").json["items"] == 40


def test_texts_of_every_kind_survive_the_round_trip(folder: Any) -> None:
    folder.configure(task="text", classes=('😀 <good> & "true"', "bad"))
    folder.type("db", "upgrade")
    texts = [
        "😀 emoji",
        "a" * 1_000_000,
        "<script>alert(1)</script>",
        "tab\tand\nnewline",
        "nul\x00inside",
        "plain",
    ]
    with (folder.path / "t.csv").open("w", newline="") as file:
        import csv

        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    added = folder.type("pool", "add", "t.csv", "--text", "text", "--json").json
    assert (added["pool"], len(added["broken"])) == (5, 1)
    assert "NUL" in added["broken"][0]["reason"]
    assert folder.type("round", "ask", "--batch", "5").code == 0
    ada = folder.person()
    while task := ada.next_task("1"):
        ada.annotate(task.task_id, "bad", seconds=1.0)
    assert folder.type("round", "tell", "--json").json["pulled"]["labels"] == 5
    assert folder.type("report", "--output", "r.html").code == 0


def test_pictures_that_can_not_be_read_are_listed_and_left_out(folder: Any) -> None:
    folder.configure(task="image", classes=("a", "b"), more="[model]\nencoder_options = { size = [8, 8] }")
    folder.type("db", "upgrade")
    for name, colour in (
        ("a/1.png", "red"),
        ("a/2.jpg", "blue"),
        ("b/3.webp", "green"),
        ("b/4.bmp", "black"),
    ):
        path = folder.path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 9), colour).save(path)
    (folder.path / "pictures" / "b" / "broken.png").write_bytes(b"\x89PNG nothing more")
    (folder.path / "pictures" / "notes.txt").write_text("not a picture")
    added = folder.type("pool", "add", "pictures", "--json").json
    assert (added["pool"], len(added["broken"])) == (4, 2)
    assert folder.type("pool", "add", "nowhere").code == 1
    (folder.path / "pictures" / "a" / "1.png").unlink()
    _fails(folder.type("round", "ask", "--batch", "4"), "1.png", "workbench pool remove KEY")
    _fails(folder.type("pool", "remove", "a/7.png"), "a/7.png", "nothing was removed")
    assert folder.type("pool", "remove", "a/1.png").code == 0
    assert folder.type("round", "cancel").code == 0
    asked = folder.type("round", "ask", "--batch", "3", "--json").json
    assert {pick["item_key"] for pick in asked["picked"]} == {"a/2.jpg", "b/3.webp", "b/4.bmp"}


def test_a_picture_that_is_lost_before_it_is_shown_names_both_ways_out(folder: Any) -> None:
    folder.configure(
        task="image",
        classes=("a", "b"),
        more="inline_limit = 1000\n[model]\nencoder_options = { size = [8, 8] }",
    )
    folder.type("db", "upgrade")
    for number in range(4):
        path = folder.path / "pictures" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number * 60, 0, 0)).save(path)
    folder.type("pool", "add", "pictures")
    big = Image.effect_noise((90, 90), 80)
    big.save(folder.path / "pictures" / "2.png")
    failed = folder.type("round", "ask", "--batch", "4")
    _fails(failed, "'2.png' can not be shown", "workbench round cancel", "workbench pool remove 2.png")


def test_lost_or_damaged_scores_are_made_again(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.label_all()
    folder.type("round", "tell")
    with monkeypatch.context() as patch:
        patch.setattr("workbench.steps.choose.pick_batch", lambda *_args: 1 / 0)
        assert folder.type("round", "ask").code == 1
    assert folder.type("round", "show", "--json").json["state"] == "scored"
    (part,) = (folder.path / "data" / "scores").rglob("*.parquet")
    content = bytearray(part.read_bytes())
    content[20:60] = bytes(40)
    part.write_bytes(content)
    assert folder.type("round", "resume", "--json").json["state"] == "labeling"
    events = folder.type("round", "show", "--json").json["events"]
    assert any("scored again" in event["message"] for event in events)


def test_a_lost_pool_file_is_restored_from_its_source(folder: Any) -> None:
    folder.ready()
    (shard,) = (folder.path / "data" / "pool").glob("*.parquet")
    content = shard.read_bytes()
    shard.unlink()
    _fails(folder.type("round", "ask"), "workbench pool add")
    again = folder.type(
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
        "0.2",
    )
    assert again.code == 0, again.err
    assert shard.read_bytes() == content
    assert folder.type("pool", "stats", "--json").json["items"] == 40
    assert folder.type("round", "resume", "--json").json["state"] == "labeling"


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("models:no_dropout", ("dropout", "ensemble")),
        ("models:Nan", ("nan",)),
        ("models:wrong_shape", ("5", "3")),
        ("models:not_a_module", ("nn.Module", "str")),
        ("models:goood", ("good",)),
        ("nomodels:good", ("nomodels",)),
        ("cnnn", ("cnn",)),
    ],
)
def test_a_model_that_can_not_work_is_refused_with_the_ways_out(
    folder: Any, factory: str, words: tuple[str, ...]
) -> None:
    folder.ready(more=f'[model]\nfactory = "{factory}"')
    folder.write(MODELS, "models.py")
    typed = folder.type("doctor")
    _fails(typed, "FAIL  model", *words)
    asked = folder.type("round", "ask")
    folder.label_all()
    told = folder.type("round", "tell")
    assert (asked.code, told.code) == (0, 1), "the labels come in, only training fails"
    assert folder.type("round", "show", "--json").json["error"]
    text = (folder.path / "workbench.toml").read_text().replace(factory, "models:good")
    folder.write(text)
    assert folder.type("round", "resume", "--json").json["state"] == "closed"


def test_a_disk_that_is_full_leaves_nothing_half_written_and_the_round_goes_on(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.label_all()

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        _fails(folder.type("round", "tell"), "disk is full", "workbench round resume")
    assert list((folder.path / "data" / "models").glob("*")) == []
    assert folder.type("round", "resume", "--json").json["state"] == "closed"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        _fails(folder.type("round", "ask"), "No space left")
    assert list((folder.path / "data").rglob("*.tmp")) == []
    assert folder.type("round", "resume", "--json").json["state"] == "labeling"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_checkpoint_is_made_again_and_the_picks_are_the_same(new_folder: Any, damage: str) -> None:
    picked = []
    for damaged in (False, True):
        folder = new_folder()
        folder.ready()
        folder.type("round", "ask")
        folder.label_all()
        folder.type("round", "tell")
        (checkpoint,) = (folder.path / "data" / "models").glob("*.safetensors")
        if damaged:
            _damage(checkpoint, damage)
        asked = folder.type("round", "ask", "--json")
        picked.append([(pick["item_key"], pick["score"]) for pick in asked.json["picked"]])
    assert picked[0] == picked[1]
    events = folder.type("round", "show", "--json").json["events"]
    assert any("made again" in event["message"] for event in events)


def _damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-10] if how == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))


def test_a_label_studio_without_address_or_token_names_what_to_set(folder: Any) -> None:
    folder.ready()
    folder.configure(labeler="label-studio")
    _fails(folder.type("round", "ask"), "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY", ".env")
    folder.write("LABEL_STUDIO_URL=http://127.0.0.1:9\nLABEL_STUDIO_API_KEY=topsecret\n", ".env")
    typed = folder.type("round", "ask")
    _fails(typed, "127.0.0.1:9")
    assert "topsecret" not in typed.err
    shown = folder.type("round", "show", "--json").json
    assert (shown["state"], "topsecret" in json.dumps(shown, default=str)) == ("selected", False)


def test_two_processes_do_not_work_on_one_round(folder: Any) -> None:
    folder.ready()
    folder.type("round", "ask")
    folder.label_all()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        owner = name_of(sleeper.pid)
        with sqlite3.connect(folder.path / "workbench.db") as database:
            database.execute(
                "UPDATE round SET lease_owner = ?, lease_until = '2999-01-01 00:00:00.000000'", [owner]
            )
        _fails(folder.type("round", "tell"), "is being worked on by", str(sleeper.pid))
    finally:
        sleeper.kill()
        sleeper.wait()
    assert folder.type("round", "tell", "--json").json["state"] == "closed"


def test_an_unforeseen_error_is_text_and_a_traceback_only_with_debug(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready()
    monkeypatch.setattr("workbench.loop.ask", lambda *_args: 1 / 0)
    _fails(folder.type("round", "ask"), "ZeroDivisionError", "--debug")
    assert "Traceback" in folder.type("round", "ask", "--debug").err


def test_rows_with_other_columns_are_refused_before_they_do_harm(folder: Any) -> None:
    folder.ready()
    folder.write("key,x,y,z\nnew,1,2,3\n", "more.csv")
    for columns, words in (("x", ("x, y",)), ("x,y,z", ("x, y, z",)), ("x,x", ("named twice",))):
        _fails(folder.type("pool", "add", "more.csv", "--features", columns, "--key", "key"), *words)
    assert folder.type("pool", "stats", "--json").json["items"] == 40


def test_a_table_without_rows_ends_with_exit_1_each_time(folder: Any) -> None:
    folder.configure(task="text")
    folder.type("db", "upgrade")
    folder.write("text,label\n", "head.csv")
    program = Path(sys.executable).with_name("workbench")
    for _ in range(3):
        done = subprocess.run(
            [program, "pool", "add", "head.csv", "--text", "text"], cwd=folder.path, capture_output=True
        )
        assert done.returncode == 1, done.stderr


def test_unlabeled_rows_go_to_the_pool_and_labels_of_no_class_are_named(folder: Any) -> None:
    folder.configure()
    folder.type("db", "upgrade")
    folder.write("key,x,label\na,1,low\nb,2,\nc,3,high\n", "t.csv")
    added = folder.type(
        "pool",
        "add",
        "t.csv",
        "--features",
        "x",
        "--key",
        "key",
        "--label",
        "label",
        "--test-share",
        "1",
        "--json",
    )
    assert (added.json["pool"], added.json["test"]) == (1, 2)
    folder.write("key,x,label\nd,9,huge\n", "u.csv")
    _fails(
        folder.type(
            "pool",
            "add",
            "u.csv",
            "--features",
            "x",
            "--key",
            "key",
            "--label",
            "label",
            "--test-share",
            "0.01",
        ),
        "'huge'",
        "low, middle, high",
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("samples = 8", 'samples = 8\nname = "ensembl"', ("[posterior] name", "'ensemble'")),
        ("samples = 8", "samples = 1", ("posterior.samples", "2")),
        ("[round]", '[acquisition]\nfunction = "bal"\n[round]', ("[acquisition] function", "'bald'")),
        ("[round]", '[acquisition]\ncoverage = "badge"\n[round]', ("[acquisition] coverage", "log_probs")),
        ("[round]", "[acquisition]\nselector_options = { beta = -1 }\n[round]", ("beta",)),
    ],
)
def test_methods_that_can_not_work_are_refused_before_a_round_begins(
    folder: Any, old: str, new: str, words: tuple[str, ...]
) -> None:
    folder.ready()
    folder.write((folder.path / "workbench.toml").read_text().replace(old, new))
    for command in (("doctor",), ("round", "ask")):
        _fails(folder.type(*command), *words)


def test_a_misspelt_demo_is_refused_before_anything_is_written(folder: Any) -> None:
    for option in (("--posterior", "ensembl"), ("--function", "bal"), ("--selector", "topk")):
        _fails(folder.type("demo", "--labeler", "simulated", "--directory", "d", *option), "did you mean")
    assert not (folder.path / "d").exists()


def test_a_demo_never_touches_a_folder_that_is_not_its_own(folder: Any) -> None:
    folder.configure()
    before = (folder.path / "workbench.toml").read_text()
    _fails(folder.type("demo", "--labeler", "simulated", "--directory", "."), "--directory")
    assert (folder.path / "workbench.toml").read_text() == before
