"""Makes the frozen project of a revision, with the code of that revision: `python make.py FOLDER`.

The last commit with 0001 is aca47b0, with 0002 it is 77a5073; from this checkout:

    git worktree add /tmp/before 77a5073 && ln -s ../migrations /tmp/before/workbench/migrations
    make=$PWD/tests/workbench/storage/databases/make.py python=$PWD/.venv/bin/python
    cd /tmp && LOGNAME=analyst PYTHONPATH=/tmp/before $python $make /tmp/0002
    git worktree remove --force /tmp/before

It is made once and never again: a test that fails with it has found what users would find. Two people
label three rounds with the embedded labeler: answers, disagreements, a skip, an answer that is no class,
edits in an open and in a closed round, a deletion, an item taken out of the pool, a cancelled round; the last
round is open and half answered. Checkpoints and scores are left out: what is missing is made again.

From 0002 on there are also items of known label, tasks without the model's answer, tasks that want a third
opinion while their round was open, a schedule that somebody paused, and a worker that left without a word.
"""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from workbench.cli.main import run

CLASSES = ("low", "middle", "high", "größer 🐘")
CONFIG = """[project]
name = "frozen ❄"
task = "feature-classification"
classes = ["low", "middle", "high", "größer 🐘"]
seed = 7
[posterior]
samples = 8
options = { epochs = 8 }
[round]
batch_size = 6
[labeler]
kind = "embedded"
overlap = 2
[budget]
per_annotation = 0.1
per_hour = 30.1
"""
#: What revisions after 0001 know beside that.
LATER = """[annotators]
min_confidence = 0.6
max_overlap = 3
gold_share = 0.2
blind_share = 0.5
[schedule]
after_close = true
max_rounds = 9
"""
LAST_OF_POOL, GOLD = 60, 6


def is_later() -> bool:
    """Whether the code is of a revision after 0001."""
    return find_spec("workbench.config.schedule") is not None


def type_command(*words: str) -> None:
    """Type a command that must not fail."""
    code = run(list(words))
    assert code == 0, words


def truth(key: str) -> str:
    """The right answer of an item."""
    return CLASSES[int(key[-2:]) % 3]


def answer(person: Any, limit: int = 100, wrong: int = 0) -> list[str]:
    """Answer what is served, the first few wrongly; gives the ids of the answers."""
    made: list[str] = []
    while len(made) < limit and (task := person.next_task("1")) is not None:
        right = truth(str(task.item_key))
        label = CLASSES[3] if len(made) < wrong else right
        made.append(person.annotate(task.task_id, label, seconds=0.1 + 0.2 * len(made)))
    return made


def work(folder: Path) -> None:
    """The life of the project."""
    keys = write_items(folder / "items.csv", range(LAST_OF_POOL))
    type_command("db", "upgrade")
    options = "--features x,y --key key --label label"
    type_command("pool", "add", "items.csv", *options.split(), "--test-share", "0.2")
    if is_later():
        write_items(folder / "gold.csv", range(LAST_OF_POOL, LAST_OF_POOL + GOLD))
        type_command("pool", "add", "gold.csv", *options.split(), "--gold")
        type_command("schedule", "pause", "the analysts are away")
        leave_a_worker(folder)
    with EmbeddedLabeler(folder / "data" / "labeler.db") as labeler:
        ada, ben = embedded_annotator(labeler, "ada"), embedded_annotator(labeler, "Бен")
        type_command("round", "ask")
        answer(ada)
        answer(ben, wrong=1)
        type_command("round", "tell", "--close")
        type_command("round", "ask")
        type_command("round", "cancel")
        type_command("round", "ask")
        task = ada.next_task("1")
        assert task is not None
        ada.skip(task.task_id, seconds=3.0)
        first = answer(ada)
        second = answer(ben, limit=4)
        type_command("round", "tell")
        ada.edit(first[0], CLASSES[3])
        ada.delete(first[1])
        ben.edit(second[0], CLASSES[0])
        type_command("round", "tell", "--close")
        ben.edit(second[1], CLASSES[3])
        type_command("round", "tell")
        type_command("pool", "remove", keys[59])
        type_command("round", "ask")
        task = ada.next_task("1")
        assert task is not None
        ada.inject(task.task_id, [{"foo": 1}])
        answer(ada, limit=2)
        type_command("round", "tell")


def write_items(path: Path, rows: range) -> list[str]:
    """Write a source of items; gives their keys."""
    frame = {"x": [r % 3 + (r * 7 % 11) / 40 for r in rows], "y": [(r * 5 % 13) / 13 for r in rows]}
    keys = [f"ключ-{row:02d}" for row in rows]
    labels = [truth(key) for key in keys]
    pd.DataFrame({"key": keys, **frame, "label": labels}).to_csv(path, index=False)
    return keys


def leave_a_worker(folder: Path) -> None:
    """Write what a worker says of itself that then ends without a word."""
    from workbench.storage.store import open_store

    with closing(open_store(f"sqlite:///{folder / 'workbench.db'}")) as store, store.begin() as tx:
        tx.workers.seen("night shift", "frozen ❄: waits for labels")


def main(folder: Path) -> None:
    """Make the project in a new folder, and leave only what is kept."""
    folder.mkdir()
    (folder / "workbench.toml").write_text(CONFIG + (LATER if is_later() else ""), encoding="utf-8")
    os.chdir(folder)
    work(folder)
    for name in ("models", "scores", "features"):
        shutil.rmtree(folder / "data" / name, ignore_errors=True)
    for source in folder.glob("*.csv"):
        source.unlink()
    for database in (folder / "workbench.db", folder / "data" / "labeler.db"):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA page_size = 1024")
            connection.execute("VACUUM")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
