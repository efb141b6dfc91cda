"""Small projects to type commands at, as a user would."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import EmbeddedAnnotator, embedded_annotator
from workbench.cli.main import run

CLASSES = ("low", "middle", "high")


@dataclass
class Typed:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


class Folder:
    """A project's folder, with the embedded labeler, in which commands are typed."""

    def __init__(self, path: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capture = capture

    def type(self, *words: str) -> Typed:
        self._capture.readouterr()
        before = Path.cwd()
        os.chdir(self.path)
        try:
            code = run(list(words))
        finally:
            os.chdir(before)
        out, err = self._capture.readouterr()
        return Typed(code, out, err)

    def write(self, text: str, name: str = "workbench.toml") -> Path:
        (self.path / name).write_text(text, encoding="utf-8")
        return self.path / name

    def configure(
        self,
        *,
        task: str = "feature",
        classes: tuple[str, ...] = CLASSES,
        more: str = "",
        labeler: str = "embedded",
    ) -> None:
        names = json.dumps(list(classes), ensure_ascii=False)
        self.write(
            f"""
[project]
name = "a project"
task = "{task}-classification"
classes = {names}
[posterior]
samples = 8
options = {{ epochs = 15 }}
[round]
batch_size = 6
[labeler]
kind = "{labeler}"
{more}
"""
        )

    def numbers(self, rows: int = 40, name: str = "items.csv") -> None:
        frame = pd.DataFrame(
            {
                "key": [f"item-{row:02d}" for row in range(rows)],
                "x": [row % 3 + (row * 7 % 11) / 40 for row in range(rows)],
                "y": [(row * 5 % 13) / 13 for row in range(rows)],
                "label": [CLASSES[row % 3] for row in range(rows)],
            }
        )
        frame.to_csv(self.path / name, index=False)

    def ready(self, rows: int = 40, *, test_share: str = "0.2", more: str = "") -> None:
        """A project of numbers with a filled pool."""
        self.configure(more=more)
        self.numbers(rows)
        assert self.type("db", "upgrade").code == 0
        added = self.type(
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
            test_share,
        )
        assert added.code == 0, added.err

    def person(self, name: str = "ada") -> EmbeddedAnnotator:
        return embedded_annotator(EmbeddedLabeler(self.path / "data" / "labeler.db"), name)

    def label_all(self, person: EmbeddedAnnotator | None = None, limit: int | None = None) -> list[str]:
        """Have a person label everything that is served, truthfully; gives the keys in the order served."""
        who = person or self.person()
        done: list[str] = []
        while (limit is None or len(done) < limit) and (task := who.next_task("1")) is not None:
            assert task.item_key is not None
            who.annotate(task.task_id, CLASSES[int(task.item_key[-2:]) % 3], seconds=2.0)
            done.append(task.item_key)
        return done


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    """An empty folder."""
    return Folder(tmp_path, capsys)


@pytest.fixture
def new_folder(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> Callable[[], Folder]:
    """As many empty folders as wanted."""
    return lambda: Folder(tmp_path_factory.mktemp("folder"), capsys)
