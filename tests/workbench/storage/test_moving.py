"""A project that moves to another database in the middle of a round goes on as if it had not."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from workbench.cli.main import run

CLASSES = ("low", "middle", "high")
CONFIG = """
[project]
name = "a project"
task = "feature-classification"
classes = ["low", "middle", "high"]
[posterior]
samples = 8
options = { epochs = 8 }
[round]
batch_size = 5
[labeler]
kind = "embedded"
"""


class Typist:
    """Types commands in a project's folder, and labels what is served."""

    def __init__(self, path: Path, capture: pytest.CaptureFixture[str]) -> None:
        path.mkdir()
        self.path, self._capture = path, capture
        (path / "workbench.toml").write_text(CONFIG)
        rows = range(40)
        frame = {"x": [r % 3 + (r * 7 % 11) / 40 for r in rows], "y": [(r * 5 % 13) / 13 for r in rows]}
        keys = [f"item-{row:02d}" for row in rows]
        labels = [CLASSES[row % 3] for row in rows]
        pd.DataFrame({"key": keys, **frame, "label": labels}).to_csv(path / "items.csv", index=False)
        self.type("db", "upgrade")
        options = "--features x,y --key key --label label --test-share 0.2"
        self.type("pool", "add", "items.csv", *options.split())

    def type(self, *words: str) -> Any:
        self._capture.readouterr()
        before = Path.cwd()
        os.chdir(self.path)
        try:
            code = run([*words, "--json"] if words[0] != "pool" else list(words))
        finally:
            os.chdir(before)
        out, err = self._capture.readouterr()
        assert code == 0, err
        return json.loads(out) if words[0] != "pool" else None

    def ask(self) -> list[str]:
        return [pick["item_key"] for pick in self.type("round", "ask")["picked"]]

    def tell(self, limit: int = 100) -> str:
        with EmbeddedLabeler(self.path / "data" / "labeler.db") as labeler:
            ada = embedded_annotator(labeler, "ada")
            while limit and (task := ada.next_task("1")) is not None:
                ada.annotate(task.task_id, CLASSES[int(str(task.item_key)[-2:]) % 3], seconds=2.0)
                limit -= 1
        return str(self.type("round", "tell")["state"])


@pytest.mark.postgresql
@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_a_round_asked_before_the_move_is_told_after_it_and_the_next_picks_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], empty_database_url: str
) -> None:
    stays, moves = Typist(tmp_path / "stays", capsys), Typist(tmp_path / "moves", capsys)
    for one in (stays, moves):
        one.ask()
        assert one.tell() == "closed"
        one.ask()
        assert one.tell(2) == "labeling"
    copied = moves.type("db", "copy", "--to", empty_database_url)
    assert all(table["equal"] for table in copied["tables"].values())
    (moves.path / ".env").write_text(f"WORKBENCH_DATABASE_URL={empty_database_url}\n")
    (moves.path / "workbench.db").rename(moves.path / "old.db")
    assert stays.tell() == moves.tell() == "closed"
    assert stays.ask() == moves.ask()
    assert stays.tell() == moves.tell() == "closed"
    curves = [one.type("report")["budget_curve"] for one in (stays, moves)]
    timeless = [
        [{k: v for k, v in point.items() if "seconds" not in k} for point in curve] for curve in curves
    ]
    assert timeless[0] == timeless[1]
    assert not (moves.path / "workbench.db").exists()
