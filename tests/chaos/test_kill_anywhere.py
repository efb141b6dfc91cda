"""Kill the process at any place, go on, and end with the same database and the same labeler.

Every commit, every call to the labeler, every renamed file and (with a real Label Studio) every HTTP request
is a place: just before it and just after it, and for requests while they are under way. A child process
counts the places it passes and kills itself at the chosen one; other children go on, some of them killed
again, until the work is done. What is left is compared with an undisturbed run.

``CHAOS_RUNS`` sets how many kills are tried; by default enough to touch every kind of place.
"""

import importlib
import json
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import torch

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_people import invite_person
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.domain.rounds import RoundState
from workbench.simulation.answers import Answers, answer_all
from workbench.steps import push
from workbench.storage.store import Store

pytestmark = pytest.mark.chaos

ROUNDS = 2
CLASSES = ("low", "middle", "high")
PEOPLE = ("chaos-ada@example.com", "chaos-ben@example.com")
READS = ("find_tasks", "changed_tasks", "all_tasks")
WRITES = ("open_project", "send_tasks", "delete_tasks", "release")


@dataclass
class Places:
    """Counts the places that are passed, and ends the process at the chosen one."""

    deadly: int | None = None
    passed: int = 0
    names: list[str] = field(default_factory=list)

    def pass_by(self, name: str) -> None:
        self.passed += 1
        self.names.append(name)
        if self.passed == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            result = call(*args, **kwargs)
            self.pass_by(f"after {name}")
            return result

        return wrapped

    def during(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.passed += 1
            self.names.append(f"during {name}")
            if self.passed == self.deadly:
                delay = random.Random(self.passed).uniform(0.0, 0.05)
                threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
                result = call(*args, **kwargs)
                time.sleep(1)
                return result
            return call(*args, **kwargs)

        return wrapped


class Haunted:
    """A labeler each of whose calls is a place."""

    def __init__(self, labeler: Any, places: Places) -> None:
        self._labeler = labeler
        self._places = places
        self.name = labeler.name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._labeler, name)
        return self._places.around(name, found) if name in (*READS, *WRITES) else found


def truth(row: int) -> str:
    return CLASSES[row % 3]


def prepare(directory: Path, name: str, kind: str) -> Path:
    numbers = np.random.default_rng(0)
    rows = [{"x": row % 3 + numbers.normal(0, 0.3), "y": numbers.normal()} for row in range(60)]
    frame = pd.DataFrame(rows).assign(key=[f"item-{row:02d}" for row in range(60)])
    frame["label"] = [truth(row) for row in range(60)]
    directory.mkdir(parents=True)
    frame.to_csv(directory / "items.csv", index=False)
    (directory / "workbench.toml").write_text(
        f"""
[project]
name = "{name}"
task = "feature-classification"
classes = {json.dumps(CLASSES)}
seed = 3
[model]
options = {{ hidden = 16 }}
[posterior]
samples = 10
options = {{ epochs = 20 }}
[acquisition]
selector = "power"
control_share = 0.25
[round]
batch_size = 8
[labeler]
kind = "{kind}"
[budget]
per_annotation = 0.1
"""
    )
    config = directory / "workbench.toml"
    upgrade_database(config)
    add_to_pool(
        config, directory / "items.csv", features=("x", "y"), key="key", label="label", test_share=0.2
    )
    return config


def work(config: Path, labeler: Any, people: list[Any], places: Places) -> None:
    """Do everything that is left to do."""
    truths = {f"item-{row:02d}": truth(row) for row in range(60)}
    answers = Answers(truths=truths, classes=CLASSES, seed=3, error_rate=0.1, skip_rate=0.1)
    with open_parts(config, labeler=Haunted(labeler, places)) as parts:  # type: ignore[arg-type]
        while (done := len([r for r in rounds_of(parts) if r.state is RoundState.CLOSED])) < ROUNDS:
            current = loop.resume(parts) if len(rounds_of(parts)) > done else loop.ask(parts)
            if current.position is RoundState.LABELING:
                link = push.open_project(parts)
                answer_all(people, link.external_id, answers)
            loop.tell(parts, close=True)


def rounds_of(parts: Any) -> list[Any]:
    with parts.store.begin() as tx:
        found: list[Any] = tx.rounds.all(parts.project.id)
        return found


def haunt(places: Places) -> list[Any]:
    """Make every commit, every renamed file and every request a place."""
    original = Store.begin

    def begin(store: Store) -> Any:
        if not sa.event.contains(store.engine, "commit", on_commit):
            sa.event.listen(store.engine, "commit", on_commit)
        return Closing(original(store), places)

    def on_commit(_connection: Any) -> None:
        places.pass_by("before commit")

    replace = Path.replace
    return [
        mock.patch.object(Store, "begin", begin),
        mock.patch.object(Path, "replace", lambda path, to: places.around("rename", replace)(path, to)),
        mock.patch.object(
            httpx.Client,
            "send",
            lambda *a, _send=httpx.Client.send, **k: places.during("request", _send)(*a, **k),
        ),
    ]


class Closing:
    """A transaction whose end is a place."""

    def __init__(self, transaction: Any, places: Places) -> None:
        self._transaction = transaction
        self._places = places

    def __enter__(self) -> Any:
        return self._transaction.__enter__()

    def __exit__(self, *error: Any) -> Any:
        result = self._transaction.__exit__(*error)
        self._places.pass_by("after commit")
        return result


def in_child(act: Callable[[Places], None], deadly: int | None, note: Path) -> bool:
    """Run in a child process that kills itself at the place; says whether it came to the end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            places = Places(deadly)
            patches = haunt(places)
            for patch in patches:
                patch.start()
            act(places)
            note.write_text(json.dumps(places.names))
            code = 0
        except BaseException:
            note.with_suffix(".error").write_text(traceback.format_exc())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.WEXITSTATUS(status) == 0, note.with_suffix(".error").read_text()
    return True


def what_is_left(config: Path) -> dict[str, Any]:
    """The database without what differs in any two runs: clocks, ids of the labeler, who was served what."""
    with closing(sqlite3.connect(config.parent / "workbench.db")) as database:

        def rows(query: str) -> list[Any]:
            return sorted(database.execute(query).fetchall(), key=repr)

        return {
            "rounds": rows(
                "SELECT number, state, failed_from, batch_size, seed, strategy, error, lease_owner FROM round"
            ),
            "items": rows('SELECT key, split, "row", payload, sha256 FROM item'),
            "selections": rows(
                "SELECT number, rank, key, reason, score, mutual_information, predicted, propensity "
                "FROM selection s JOIN item i ON i.id = s.item_id JOIN round r ON r.id = s.round_id"
            ),
            "tasks": rows(
                "SELECT number, key, t.state, t.external_id IS NULL "
                "FROM task t JOIN item i ON i.id = t.item_id JOIN round r ON r.id = t.round_id"
            ),
            "annotations": rows(
                "SELECT key, label, problem, skipped, deleted, seconds "
                "FROM annotation a JOIN item i ON i.id = a.item_id"
            ),
            "labels": rows(
                "SELECT key, revision, value, status, confidence, method, current "
                "FROM label l JOIN item i ON i.id = l.item_id"
            ),
            "models": rows("SELECT posterior, seed, data_hash, labels, uri, sha256 FROM model_run"),
            "metrics": rows(
                "SELECT number, split, name, value, low, high, n "
                "FROM metric m JOIN round r ON r.id = m.round_id"
            ),
            "budget": rows(
                "SELECT number, metric, labels, annotations, seconds, cost, value, low, high, n "
                "FROM budget_point b JOIN round r ON r.id = b.round_id"
            ),
        }


def what_the_labeler_holds(labeler: Any, config: Path) -> list[Any]:
    with closing(sqlite3.connect(config.parent / "workbench.db")) as database:
        ((project,),) = database.execute("SELECT external_id FROM labeler_link").fetchall()
    return sorted(
        (task.item_key, task.round_key[:10], [(a.label, a.skipped) for a in task.annotations])
        for task in labeler.changed_tasks(project, None)
    )


@dataclass
class Scene:
    """Where a run takes place: a fresh project in a fresh directory."""

    name: str
    kind: str
    labeler: Callable[[Path], Any]
    people: Callable[[Path, Any], list[Any]]

    def run(self, directory: Path, deadly: list[int]) -> tuple[dict[str, Any], list[Any], list[str]]:
        """Be killed at each of these places in turn, then go on to the end."""
        config = prepare(directory, f"{self.name} {directory.name}", self.kind)
        note = directory / "places.json"

        def act(places: Places) -> None:
            labeler = self.labeler(directory)
            work(config, labeler, self.people(directory, labeler), places)

        for place in [*deadly, None]:
            if in_child(act, place, note):
                break
        with closing(self.labeler(directory)) as labeler:
            held = what_the_labeler_holds(labeler, config)
        return what_is_left(config), held, json.loads(note.read_text())


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import everything once, so that no child has to, and compute in one thread.

    A child that is forked while other threads compute would wait for them forever.
    """
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("warm") / "project"
    config = prepare(directory, "chaos warm", "embedded")
    with EmbeddedLabeler(directory / "labeler.db") as labeler:
        work(config, labeler, [embedded_annotator(labeler, name) for name in PEOPLE], Places())


@pytest.fixture
def embedded() -> Scene:
    return Scene(
        "chaos",
        "embedded",
        lambda directory: EmbeddedLabeler(directory / "labeler.db"),
        lambda _directory, labeler: [embedded_annotator(labeler, name) for name in PEOPLE],
    )


@pytest.fixture
def real(label_studio: Any) -> Scene:
    owner, url = label_studio.owner, label_studio.url
    with warnings.catch_warnings():
        # Once here, so that no child has to: it takes seconds.
        warnings.simplefilter("ignore")
        importlib.import_module("label_studio_sdk")
    return Scene(
        "chaos",
        "label-studio",
        lambda _directory: connect(url, owner.token),
        lambda _directory, _labeler: [
            invite_person(url, owner.token, name, "a long password") for name in PEOPLE
        ],
    )


def kills(total: int, runs: int, seed: int) -> list[list[int]]:
    """Spread the first kill evenly over all places; every third run is killed again while it goes on."""
    dice = random.Random(seed)
    chosen = []
    for run in range(runs):
        first = 1 + (run * total) // runs + dice.randrange(max(1, total // runs))
        chosen.append([min(first, total), *([dice.randint(1, max(1, total // 4))] if run % 3 == 0 else [])])
    return chosen


def sweep(scene: Scene, directory: Path, runs: int) -> None:
    expected, held, places = scene.run(directory / "undisturbed", [])
    assert [row[1] for row in expected["rounds"]] == ["closed"] * ROUNDS
    for number, deadly in enumerate(kills(len(places), runs, seed=runs)):
        where = [places[place - 1] for place in deadly]
        found, there, _ = scene.run(directory / f"run{number}", deadly)
        assert there == held, f"killed at {deadly} ({where})"
        for table, rows in expected.items():
            assert found[table] == rows, f"{table}, killed at {deadly} ({where})"
        shutil.rmtree(directory / f"run{number}")


@pytest.mark.timeout(7200)
def test_killed_anywhere_the_embedded_loop_ends_the_same(embedded: Scene, tmp_path: Path) -> None:
    sweep(embedded, tmp_path, int(os.environ.get("CHAOS_RUNS", "25")))


@pytest.mark.external
@pytest.mark.timeout(7200)
def test_killed_anywhere_the_loop_on_a_real_label_studio_ends_the_same(real: Scene, tmp_path: Path) -> None:
    sweep(real, tmp_path, int(os.environ.get("CHAOS_RUNS", "10")))
