"""Laws of reconcile: whatever was done to the two books, and wherever the mending was stopped."""

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.acceptance.conftest import CLASSES, Folder
from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.reconcile import Outcome, Reconciled
from workbench.steps.reconcile import reconcile

#: How many sequences of mischief are tried, and at every how manieth place the mending is stopped.
EXAMPLES = int(os.environ.get("RECONCILE_EXAMPLES", "12"))
EVERY = int(os.environ.get("RECONCILE_EVERY", "4"))
#: Seconds that the longest forms may take.
LONG = 3600


class _Nobody:
    def readouterr(self) -> tuple[str, str]:
        return "", ""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One round that is closed, one that waits for answers."""
    path = tmp_path_factory.mktemp("prepared")
    folder = Folder(path, _Nobody())  # type: ignore[arg-type]
    folder.ready(test_share="0.2")
    assert folder.type("round", "ask").code == 0
    folder.label_all(limit=4)
    assert folder.type("round", "tell", "--close").code == 0
    assert folder.type("round", "ask").code == 0
    return path


class Stopped(BaseException):
    """The process ends here."""


class Dying(EmbeddedLabeler):
    """Ends the process at the nth thing that is asked of it, before or after doing it."""

    def __init__(self, path: Path, last: int) -> None:
        super().__init__(path)
        self._left = last

    def _call(self, name: str, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise Stopped
        found = getattr(EmbeddedLabeler, name)(self, *arguments)
        found = iter(list(found)) if isinstance(found, Iterator) else found
        self._left -= 1
        if self._left == 0:
            raise Stopped
        return found


CALLS: tuple[str, ...] = (
    "open_project",
    "describe_project",
    "survey_tasks",
    "changed_tasks",
    "find_tasks",
    "count_tasks",
)
CALLS += ("send_tasks", "delete_tasks", "set_predictions", "release")
for _name in CALLS:
    setattr(Dying, _name, lambda self, *arguments, _name=_name: self._call(_name, *arguments))


class World:
    """A project in which anything may be done."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def there(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path / "data/labeler.db", isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys = ON")
            return database.execute(statement, values).fetchall()

    def here(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path / "workbench.db", isolation_level=None)) as database:
            return database.execute(statement, values).fetchall()

    def reconcile(self, labeler: EmbeddedLabeler | None = None) -> Reconciled:
        with open_parts(self.path / "workbench.toml", labeler=labeler) as parts:
            return reconcile(parts, fix=True)

    def tell(self) -> None:
        with open_parts(self.path / "workbench.toml") as parts:
            loop.tell(parts)

    def do(self, what: str, which: int) -> None:
        """One piece of mischief, at one of the tasks that are there."""
        ids = [row[0] for row in self.there("SELECT id FROM tasks ORDER BY id")]
        if not ids:
            return
        getattr(self, what)(str(ids[which % len(ids)]), which)

    def delete(self, task: str, _which: int) -> None:
        self.there("DELETE FROM tasks WHERE id = ?", task)

    def double(self, task: str, _which: int) -> None:
        columns = "project, item_key, round_key, content, label, score, model_version, updated_at"
        self.there(f"INSERT INTO tasks ({columns}) SELECT {columns} FROM tasks WHERE id = ?", task)

    def answer(self, task: str, which: int) -> None:
        with EmbeddedLabeler(self.path / "data/labeler.db") as labeler:
            who = embedded_annotator(labeler, ("ada", "ben")[which % 2])
            who.annotate(task, CLASSES[which % 3], seconds=1.0)

    def _answers(self, task: str) -> list[str]:
        return [str(row[0]) for row in self.there("SELECT id FROM annotations WHERE task = ?", task)]

    def edit(self, task: str, which: int) -> None:
        with EmbeddedLabeler(self.path / "data/labeler.db") as labeler:
            for annotation in self._answers(task)[:1]:
                embedded_annotator(labeler, "ada").edit(annotation, CLASSES[which % 3])

    def take_back(self, task: str, _which: int) -> None:
        with EmbeddedLabeler(self.path / "data/labeler.db") as labeler:
            for annotation in self._answers(task)[:1]:
                embedded_annotator(labeler, "ada").delete(annotation)

    def reorder(self, task: str, which: int) -> None:
        self.there("UPDATE tasks SET score = ?, model_version = 'theirs' WHERE id = ?", which, task)

    def release(self, _task: str, _which: int) -> None:
        self.there("UPDATE projects SET model_version = 'theirs', overlap = 7")

    def take_over(self, task: str, _which: int) -> None:
        self.there("UPDATE tasks SET round_key = 'theirs' WHERE id = ?", task)

    def forget(self, task: str, which: int) -> None:
        state = ("pending", "open", "gone", "labeled", "skipped", "withdrawn")[which % 6]
        self.here("UPDATE task SET state = ?, external_id = NULL WHERE external_id = ?", state, task)

    def mislabel(self, _task: str, which: int) -> None:
        self.here("UPDATE label SET value = ? WHERE current", CLASSES[which % 3])

    def read(self, _task: str, _which: int) -> None:
        self.tell()

    def check(self) -> None:
        """What must hold after the mending."""
        doubles = self.there(
            "SELECT item_key FROM tasks WHERE round_key LIKE 'round-%' GROUP BY round_key, item_key "
            "HAVING count(*) > 1 AND sum(NOT EXISTS (SELECT * FROM annotations WHERE task = tasks.id)) > 0"
        )
        assert doubles == []
        labels = self.here(
            "SELECT label.item_id, label.value, label.status FROM label WHERE label.current ORDER BY item_id"
        )
        assert labels == self._labels_by_hand()

    def _labels_by_hand(self) -> list[tuple[int, str | None, str]]:
        """Each item's label, counted anew from the newest version of each annotation."""
        rows = self.here(
            "SELECT item_id, external_id, annotator, label, skipped, problem, deleted FROM annotation "
            "ORDER BY updated_at, deleted, id"
        )
        newest = {(row[0], row[1]): row for row in rows}
        votes: dict[int, dict[str, str]] = {item: {} for item, _ in newest}
        for row in sorted(newest.values(), key=rows.index):
            if row[3] is not None and not (row[4] or row[5] or row[6]):
                votes[row[0]][row[2]] = row[3]
        had = {row[0] for row in self.here("SELECT DISTINCT item_id FROM label")}
        return [_majority(item, list(votes[item].values())) for item in sorted(had)]

    def known(self) -> set[str]:
        """Annotations that are neither deleted nor forgotten here."""
        rows = self.here("SELECT external_id, deleted FROM annotation ORDER BY updated_at, deleted, id")
        return {key for key, deleted in dict(rows).items() if not deleted}


def _majority(item: int, votes: Sequence[str]) -> tuple[int, str | None, str]:
    counts = Counter(votes).most_common()
    if not counts:
        return item, None, "withdrawn"
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return item, None, "conflict"
    return item, counts[0][0], "agreed"


DEEDS = [name for name in vars(World) if not name.startswith("_")]
DEEDS = [name for name in DEEDS if name not in ("there", "here", "reconcile", "tell", "do", "check", "known")]


@pytest.mark.timeout(LONG)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(deeds=[("forget", 22), ("delete", 0), ("delete", 31)])
@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 40)), min_size=1, max_size=14))
def test_after_any_mischief_both_books_say_the_same(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int]]
) -> None:
    world = World(Path(shutil.copytree(prepared, tmp_path_factory.mktemp("world") / "p")))
    for what, which in deeds:
        world.do(what, which)
    there = {str(row[0]) for row in world.there(_OURS)}
    mended = world.reconcile()
    assert [f for f in mended.findings if f.outcome is Outcome.FIXABLE] == []
    again = world.reconcile()
    assert [f for f in again.findings if f.outcome in (Outcome.FIXABLE, Outcome.FIXED)] == []
    assert there <= world.known(), "no annotation at the labeler is lost"
    world.check()
    world.tell()
    after = world.reconcile()
    assert [f for f in after.findings if f.outcome in (Outcome.FIXABLE, Outcome.FIXED)] == []
    world.check()


_OURS = (
    "SELECT annotations.id FROM annotations JOIN tasks ON tasks.id = annotations.task "
    "WHERE round_key LIKE 'round-%'"
)
MUCH = [("delete", 7), ("double", 4), ("double", 8), ("answer", 9), ("reorder", 10), ("release", 0)]
MUCH += [("forget", 6), ("mislabel", 1), ("delete", 5)]


@pytest.mark.timeout(LONG)
def test_stopped_anywhere_the_next_run_does_what_is_left(prepared: Path, tmp_path: Path) -> None:
    whole = World(Path(shutil.copytree(prepared, tmp_path / "whole")))
    for what, which in MUCH:
        whole.do(what, which)
    for at in range(1, 1000, EVERY):
        world = World(Path(shutil.copytree(whole.path, tmp_path / f"stopped-{at}")))
        with Dying(world.path / "data/labeler.db", at) as labeler:
            try:
                world.reconcile(labeler)
                break
            except Stopped:
                pass
        assert not world.reconcile().difference
        again = world.reconcile()
        assert (again.difference, [f for f in again.findings if f.outcome is Outcome.FIXED]) == (0, [])
        world.check()
    assert at > 10, "there were places to stop at"
