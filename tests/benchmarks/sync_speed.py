"""Pull and push against a real Label Studio, beside what the same server does without any bookkeeping.

    python tests/benchmarks/sync_speed.py [--tasks 10000] [--rounds 2] [--total 14000] [--changed 100]

Push: as many tasks, in batches of the same size, once as bare imports and once as a round's push, in turn,
each into a project of its own. Pull: `--changed` annotated tasks among `--total`, after everything was read
once. So that the first reading counts as long ago, the tasks' times are set back by an hour in the server's
database.
CPU seconds are those of the server and of this process together: the figure to trust on a busy machine.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync_cases import CLASSES, make_parts, select

from connectors.labelers.label_config import Control
from connectors.labelers.label_studio import LabelStudioLabeler, connect
from connectors.labelers.label_studio_format import make_result, make_task
from connectors.labelers.label_studio_http import open_client
from connectors.labelers.label_studio_server import LabelStudioServer, find_program
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, TaskType
from workbench.steps.leases import lease
from workbench.steps.pull import pull
from workbench.steps.push import BATCH, open_project, push
from workbench.storage.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
AN_HOUR_AGO = "strftime('%Y-%m-%d %H:%M:%f', updated_at, '-1 hour')"
CONTROL = Control(task_type=TaskType.TEXT, name="label", target="text", variable="text", classes=CLASSES)


@dataclass
class Spent:
    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def spending(server: LabelStudioServer) -> Iterator[Spent]:
    spent = Spent()
    wall, cpu = time.perf_counter(), _cpu(server)
    yield spent
    spent.wall, spent.cpu = time.perf_counter() - wall, _cpu(server) - cpu


def _cpu(server: LabelStudioServer) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + time.process_time()


def bare(server: LabelStudioServer, labeler: LabelStudioLabeler, title: str, tasks: int) -> Spent:
    """The same tasks in the same batches, sent and forgotten."""
    project = labeler.open_project(ProjectSpec(title=title, task_type=TaskType.TEXT, classes=CLASSES))
    bodies = [
        [make_task(CONTROL, _task(title, number, tasks)) for number in range(start, start + BATCH)]
        for start in range(0, tasks, BATCH)
    ]
    with open_client(server.url, server.owner.token, timeout=120) as client, spending(server) as spent:
        for body in bodies:
            client.post(
                f"/api/projects/{project.project_id}/import", params={"return_task_ids": "true"}, json=body
            )
    return spent


def _task(title: str, number: int, tasks: int) -> OutgoingTask:
    guess = Prediction(label="cat", score=number / tasks, model_version="round-0-coverage")
    key = f"item-{number:06d}"
    return OutgoingTask(
        item_key=key, round_key=f"round-0-{title}", content=f"the text of {key}", prediction=guess
    )


def pushed(
    server: LabelStudioServer, labeler: LabelStudioLabeler, store: Store, title: str, tasks: int
) -> Spent:
    """The same as a round: outbox, look before, lease before each batch, ids kept, count after."""
    parts = make_parts(store, labeler, Path(), name=title)
    current = select(parts, [f"item-{number:06d}" for number in range(tasks)])
    open_project(parts)
    with lease(parts, current) as held, spending(server) as spent:
        push(parts, held)
    return spent


def pulled(
    server: LabelStudioServer,
    labeler: LabelStudioLabeler,
    store: Store,
    data: Path,
    total: int,
    changed: int,
) -> list[Spent]:
    """Three pulls of newly annotated tasks."""
    parts = make_parts(store, labeler, Path(), name="pulling")
    current = select(parts, [f"item-{number:06d}" for number in range(total)])
    with lease(parts, current) as held:
        push(parts, held)
    with sqlite3.connect(data / "label_studio.sqlite3", timeout=60) as database:
        database.execute(f"UPDATE task SET updated_at = {AN_HOUR_AGO}")
    pull(parts)
    with store.read() as tx:
        ids = [task.external_id for task in tx.tasks.of_round(current.id)]
    found = []
    with open_client(server.url, server.owner.token, timeout=120) as client:
        for attempt in range(3):
            for task_id in ids[attempt * changed : (attempt + 1) * changed]:
                body = {"result": make_result(CONTROL, "dog"), "lead_time": 2.0}
                client.post(f"/api/tasks/{task_id}/annotations/", json=body)
            with spending(server) as spent:
                new = pull(parts)
            assert new.versions == changed, new
            found.append(spent)
            # The next pull is to find its own changes only.
            with sqlite3.connect(data / "label_studio.sqlite3", timeout=60) as database:
                recent = "updated_at > datetime('now', '-30 minutes')"
                database.execute(f"UPDATE task SET updated_at = {AN_HOUR_AGO} WHERE {recent}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--total", type=int, default=14_000)
    parser.add_argument("--changed", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        server = LabelStudioServer(
            base / "data",
            program=find_program(dict(os.environ), ROOT / ".venv-label-studio/bin/label-studio"),
            template_dir=ROOT / ".cache" / "label-studio-template",
        )
        store = open_store(f"sqlite:///{base / 'workbench.db'}")
        store.upgrade()
        with server, connect(server.url, server.owner.token, timeout=120) as labeler:
            for number in range(chosen.rounds):
                plain = bare(server, labeler, f"bare {number}", chosen.tasks)
                ours = pushed(server, labeler, store, f"pushed {number}", chosen.tasks)
                print(
                    f"{chosen.tasks} tasks: bare {plain.wall:.1f} s (CPU {plain.cpu:.1f}), pushed "
                    f"{ours.wall:.1f} s (CPU {ours.cpu:.1f}): {plain.wall / ours.wall:.0%} of the speed by "
                    f"the clock, {plain.cpu / ours.cpu:.0%} by CPU seconds",
                    flush=True,
                )
            if chosen.total:
                for spent in pulled(server, labeler, store, base / "data", chosen.total, chosen.changed):
                    print(
                        f"pull of {chosen.changed} changed among {chosen.total}: {spent.wall:.2f} s "
                        f"(CPU {spent.cpu:.2f})",
                        flush=True,
                    )
        store.close()


if __name__ == "__main__":
    main()
