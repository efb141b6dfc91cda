"""Ten worker processes on a real PostgreSQL go after the same rounds: is anything done twice, or lost?

Every worker takes any project at any moment, as it comes, and does whatever its round waits for; another
process answers what annotators are served. What was brought to completion is counted afterwards.

    python tests/benchmarks/many_workers.py --workers 10 --projects 4 --rounds 250

One JSON object on stdout; exit 1 if anything was doubled or lost.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
import torch

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.domain.errors import DatabaseAway, RoundProblem
from workbench.domain.rounds import FINISHED, RoundState
from workbench.steps.parts import Parts
from workbench.storage.store import open_store

CLASSES = ("low", "high")
BATCH = 2


def prepare(directory: Path, url: str, name: str, rounds: int) -> Path:
    """Make a small project in a folder of its own, in the shared database."""
    rows = rounds * BATCH + 10
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame({"x": numbers.normal(size=rows), "y": numbers.normal(size=rows)})
    frame["key"] = [f"item-{row:05d}" for row in range(rows)]
    directory.mkdir(parents=True)
    frame.to_csv(directory / "items.csv", index=False)
    config = directory / "workbench.toml"
    config.write_text(
        f"""
[project]
name = "{name}"
task = "feature-classification"
classes = {json.dumps(CLASSES)}
[storage]
database = "{url}"
[model]
options = {{ hidden = 32 }}
[posterior]
samples = 4
options = {{ epochs = 1 }}
[acquisition]
selector = "power"
[round]
batch_size = {BATCH}
[labeler]
kind = "embedded"
"""
    )
    upgrade_database(config)
    add_to_pool(config, directory / "items.csv", features=("x", "y"), key="key")
    return config


def warm_up(directory: Path) -> None:
    """Import everything once, so that no worker has to."""
    config = prepare(directory, f"sqlite:///{directory}/warm.db", "warm", 2)
    with open_parts(config) as parts:
        for _ in range(2):
            loop.ask(parts)
            person = embedded_annotator(EmbeddedLabeler(directory / "data" / "labeler.db"), "ada")
            while (task := person.next_task("1")) is not None:
                person.annotate(task.task_id, CLASSES[int(str(task.item_key)[-5:]) % 2], seconds=1.0)
            loop.tell(parts)


def work(configs: list[Path], rounds: int, number: int, note: Path) -> None:
    """Be a worker until every project has its rounds."""
    dice = random.Random(number)
    done: list[tuple[str, int, str]] = []
    busy = 0
    watch_steps(done)
    with ExitStack() as stack:
        open_projects = {path: stack.enter_context(open_parts(path)) for path in configs}
        while open_projects:
            path, parts = dice.choice(list(open_projects.items()))
            try:
                if not go_on(parts, rounds):
                    del open_projects[path]
            except (RoundProblem, DatabaseAway):
                busy += 1
                time.sleep(dice.uniform(0.0, 0.2))
    note.write_text(json.dumps({"done": done, "busy": busy}))


def go_on(parts: Parts, rounds: int) -> bool:
    """Do what the project waits for; says whether there is anything left to do."""
    with parts.store.read() as tx:
        found = tx.rounds.all(parts.project.id)
    if len(found) == rounds and found[-1].state is RoundState.CLOSED:
        return False
    if not found or found[-1].state in FINISHED:
        if len(found) < rounds:
            loop.ask(parts)
    elif found[-1].position is RoundState.LABELING:
        loop.tell(parts)
    else:
        loop.resume(parts)
    return True


def watch_steps(done: list[tuple[str, int, str]]) -> None:
    """Write down every step that comes to its end."""

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(parts: Parts, held: Any) -> Any:
            reached = step(parts, held)
            done.append((parts.project.name, held.number, step.__name__))
            return reached

        return run

    for state, step in list(loop.STEPS.items()):
        loop.STEPS[state] = watched(step)


def answer(configs: list[Path], stop: Path) -> None:
    """Be the annotator of all projects."""
    labelers = [EmbeddedLabeler(path.parent / "data" / "labeler.db") for path in configs]
    people = [embedded_annotator(labeler, "ada") for labeler in labelers]
    while not stop.exists():
        answered = 0
        for person in people:
            while (task := person.next_task("1")) is not None:
                person.annotate(task.task_id, CLASSES[int(str(task.item_key)[-5:]) % 2], seconds=1.0)
                answered += 1
        if not answered:
            time.sleep(0.05)


def count(url: str, configs: list[Path], notes: list[dict[str, Any]], rounds: int) -> dict[str, int]:
    """What was done twice, and what is missing."""
    steps = Counter(tuple(step) for note in notes for step in note["done"])
    copies: Counter[Any] = Counter()
    answers: Counter[Any] = Counter()
    for path in configs:
        with EmbeddedLabeler(path.parent / "data" / "labeler.db") as labeler:
            for task in labeler.changed_tasks("1", None):
                copies[path, task.round_key, task.item_key] += 1
                answers[path, task.item_key] += len(task.annotations)
    store = open_store(url)
    with store.engine.connect() as connection:

        def one(query: str) -> int:
            return int(connection.execute(sa.text(query)).scalar_one())

        twice = "SELECT count(*) FROM (SELECT 1 FROM {} GROUP BY {} HAVING count(*) > 1) AS t"
        found = {
            "rounds_closed": one("SELECT count(*) FROM round WHERE state = 'closed'"),
            "steps_twice": sum(times - 1 for times in steps.values()),
            "tasks_twice": sum(times - 1 for times in copies.values()),
            "items_twice": one(twice.format("task", "item_id")),
            "labels_twice": one(twice.format("label", "item_id")),
            "models_twice": one(twice.format("model_run", "project_id, data_hash")),
            "answers_twice": sum(times > 1 for times in answers.values()),
            "closed_twice": one(
                twice.format("(SELECT round_id FROM event WHERE kind = 'closed') AS e", "round_id")
            ),
            "labels": one("SELECT count(*) FROM label WHERE current AND status = 'agreed'"),
            "budget_points": one("SELECT count(*) FROM budget_point"),
        }
    store.close()
    expected = rounds * len(configs)
    found["lost"] = (
        abs(expected - found["rounds_closed"])
        + abs(expected - found["budget_points"])
        + abs(expected * BATCH - found["labels"])
    )
    return found


def in_child(act: Callable[[], None], note: Path) -> int:
    """Run in a process of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            note.with_suffix(".error").write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return child


def run(url: str, workers: int, projects: int, rounds: int, directory: Path) -> dict[str, Any]:
    """Let the workers loose, and count."""
    torch.set_num_threads(1)
    warm_up(directory / "warm")
    configs = [prepare(directory / f"p{n}", url, f"project {n}", rounds) for n in range(projects)]
    began = time.monotonic()
    notes = [directory / f"worker-{number}.json" for number in range(workers)]
    children = [
        in_child(lambda n=number: work(configs, rounds, n, notes[n]), notes[number])  # type: ignore[misc]
        for number in range(workers)
    ]
    stop = directory / "stop"
    annotator = in_child(lambda: answer(configs, stop), directory / "annotator")
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
    stop.touch()
    failed += os.waitstatus_to_exitcode(os.waitpid(annotator, 0)[1]) != 0
    for error in directory.glob("*.error"):
        print(error.read_text(), file=sys.stderr)
    said = [json.loads(note.read_text()) for note in notes if note.exists()]
    return {
        "workers": workers,
        "projects": projects,
        "rounds": projects * rounds,
        "seconds": round(time.monotonic() - began),
        "refused": sum(note["busy"] for note in said),
        "failed": failed,
        **count(url, configs, said, rounds),
    }


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--projects", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=250, help="of each project")
    parser.add_argument("--database", help="an empty PostgreSQL database; else a server is started")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="many-workers-")))
        url = options.database
        if url is None:
            sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
            from conftest import started_postgresql

            url = stack.enter_context(stack.enter_context(started_postgresql()).database())
        found = run(url, options.workers, options.projects, options.rounds, directory)
    print(json.dumps(found))
    bad = [name for name in found if name.endswith("_twice") or name in ("lost", "failed")]
    sys.exit(any(found[name] for name in bad))


if __name__ == "__main__":
    main()
