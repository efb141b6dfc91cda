"""Kill the process at any place, found by counting them, and let other processes go on.

Every commit, every call to the labeler, every renamed file and every HTTP request is a place: just before it
and just after it, and for requests while they are under way. A child process counts the places it passes and
kills itself at the chosen one; other children go on, some of them killed again, until the work is done.
"""

import json
import os
import random
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import sqlalchemy as sa

from tests.faults.comparing import check_same, what_is_left, what_the_labeler_holds
from tests.faults.little_project import prepare
from tests.faults.shaky import READS, WRITES
from tests.faults.working import ROUNDS, everybody, finish
from workbench.bootstrap import open_parts
from workbench.storage.store import Store

#: The findings that rounds leave behind.
EVIDENCE = {"calibration", "convergence", "control_model", "environment", "forecast", "stopping"}


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


def haunt(places: Places) -> list[Any]:
    """Make every commit, every renamed file and every request a place."""
    original = Store.begin

    def begin(store: Store) -> Any:
        if not sa.event.contains(store.engine, "commit", on_commit):
            sa.event.listen(store.engine, "commit", on_commit)
        return Closing(original(store), places)

    def on_commit(_connection: Any) -> None:
        places.pass_by("before commit")

    rename = Path.replace
    return [
        mock.patch.object(Store, "begin", begin),
        mock.patch.object(Path, "replace", lambda path, to: places.around("rename", rename)(path, to)),
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


def work(config: Path, labeler: Any, people: list[Any], places: Places, lease_seconds: float) -> None:
    """Do everything that is left to do."""
    with open_parts(config, labeler=Haunted(labeler, places)) as parts:  # type: ignore[arg-type]
        finish(replace(parts, lease_seconds=lease_seconds), everybody(people))


@dataclass
class Scene:
    """Where a run takes place: a fresh project in a fresh directory."""

    name: str
    kind: str
    labeler: Callable[[Path], Any]
    people: Callable[[Path, Any], list[Any]]
    #: A project that is ready for its first round, to be copied.
    template: Path | None = None
    #: The shorter, the more often the thread that keeps the lease commits.
    lease_seconds: float = 180.0
    drive: Callable[[Path, Any, list[Any], Places, float], None] = work

    def project(self, directory: Path) -> Path:
        """A project ready for its first round: a copy, unless the labeler knows projects by name."""
        if self.template is None:
            return prepare(directory, f"{self.name} {directory.name}", self.kind)
        shutil.copytree(self.template, directory)
        return directory / "workbench.toml"

    def run(self, directory: Path, deadly: list[int]) -> tuple[dict[str, Any], list[Any], list[str]]:
        """Be killed at each of these places in turn, then go on to the end."""
        config = self.project(directory)
        note = directory / "places.json"

        def act(places: Places) -> None:
            labeler = self.labeler(directory)
            self.drive(config, labeler, self.people(directory, labeler), places, self.lease_seconds)

        for place in [*deadly, None]:
            if in_child(act, place, note):
                break
        with closing(self.labeler(directory)) as labeler:
            held = what_the_labeler_holds(labeler, config)
        return what_is_left(config), held, json.loads(note.read_text())


def kills(total: int, runs: int, seed: int) -> list[list[int]]:
    """Spread the first kill evenly over all places; every third run is killed again while it goes on."""
    dice = random.Random(seed)
    chosen = []
    for run in range(runs):
        first = 1 + (run * total) // runs + dice.randrange(max(1, total // runs))
        chosen.append([min(first, total), *([dice.randint(1, max(1, total // 4))] if run % 3 == 0 else [])])
    return chosen


def sweep(scene: Scene, directory: Path, runs: int, *, at_least: int) -> None:
    """Try so many kills, spread over all the places that an undisturbed run passes."""
    expected, held, places = scene.run(directory / "undisturbed", [])
    assert [row[1] for row in expected["rounds"]] == ["closed"] * ROUNDS
    # Every kind of evidence is written, so killing comes in between.
    assert {row[1] for row in expected["predictions"]} == {"active", "control"}
    assert {row[1] for row in expected["diagnostics"]} >= EVIDENCE
    assert expected["maps"]
    assert len(places) >= at_least, f"only {len(places)} places: {sorted(set(places))}"
    for number, deadly in enumerate(kills(len(places), runs, seed=runs)):
        where = f"killed at {deadly} ({[places[place - 1] for place in deadly]})"
        found, there, _ = scene.run(directory / f"run{number}", deadly)
        assert there == held, where
        check_same(found, expected, where)
        shutil.rmtree(directory / f"run{number}")
