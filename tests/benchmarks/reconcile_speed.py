"""How long a comparison of database and labeler takes, and how much memory.

    python tests/benchmarks/reconcile_speed.py [TASKS]
    python tests/benchmarks/reconcile_speed.py [TASKS] --label-studio    # against a real server

Half of the tasks are answered. Of a hundred one is then deleted, one doubled, one answered and not read.
"""

import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_http import open_client
from connectors.labelers.label_studio_server import LabelStudioServer, find_program
from connectors.labelers.protocol import Labeler
from tests.benchmarks.sync_cases import make_parts, select
from workbench.steps.leases import lease
from workbench.steps.parts import Parts
from workbench.steps.pull import pull
from workbench.steps.push import push, release
from workbench.steps.reconcile import reconcile
from workbench.storage.store import open_store

ROOT = Path(__file__).resolve().parents[2]


class Hands:
    """What people do at the labeler, in bulk."""

    def __init__(self, labeler: Labeler) -> None:
        self.labeler = labeler

    def annotate(self, tasks: Sequence[str]) -> None:
        """Answer tasks."""
        assert isinstance(self.labeler, EmbeddedLabeler)
        with self.labeler.store.write() as database:
            database.executemany(
                "INSERT INTO annotations (task, annotator, result, skipped, seconds, created_at, updated_at) "
                "SELECT id, 'ada', json_array(json_object('from_name', 'label', 'to_name', 'text', 'type', "
                "'choices', 'value', json_object('choices', json_array('cat')))), 0, 2.0, "
                "updated_at, updated_at "
                "FROM tasks WHERE id = ?",
                [(task,) for task in tasks],
            )

    def double(self, tasks: Sequence[str]) -> None:
        """Make tasks twice."""
        assert isinstance(self.labeler, EmbeddedLabeler)
        columns = "project, item_key, round_key, content, label, score, model_version, updated_at"
        with self.labeler.store.write() as database:
            database.executemany(
                f"INSERT INTO tasks ({columns}) SELECT {columns} FROM tasks WHERE id = ?",
                [(task,) for task in tasks],
            )


class StudioHands(Hands):
    """The same in Label Studio."""

    def __init__(self, labeler: Labeler, url: str, token: str, parts: Parts) -> None:
        super().__init__(labeler)
        self.client = open_client(url, token, timeout=120)
        self.parts = parts

    def annotate(self, tasks: Sequence[str]) -> None:
        """Answer tasks: in bulk that is the suggestion taken over."""
        body = {"selectedItems": {"all": False, "included": [int(task) for task in tasks]}}
        params = {"id": "predictions_to_annotations", "project": _project(self.parts)}
        self.client.post("/api/dm/actions", params=params, json=body, timeout=600)

    def double(self, tasks: Sequence[str]) -> None:
        """Make tasks twice."""
        data = [{"data": self.client.get(f"/api/tasks/{task}/").json()["data"]} for task in tasks]
        self.client.post(f"/api/projects/{_project(self.parts)}/import", json=data)


def _project(parts: Parts) -> str:
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    assert link is not None
    return link.external_id


def measure(parts: Parts, hands: Hands, size: int) -> None:
    """Send, answer, read; then look, spoil, look, mend, look."""
    planned = select(parts, [f"item-{number:06d}" for number in range(size)])
    with lease(parts, planned) as held:
        release(parts, push(parts, held))
    project = _project(parts)
    ids = [task.task_id for task in parts.labeler.all_tasks(project)]
    hands.annotate(ids[: size // 2])
    pull(parts)
    _timed("the same on both sides", parts, fix=False)
    many = size // 100
    parts.labeler.delete_tasks(project, ids[-many:])
    hands.double(ids[-3 * many : -2 * many])
    hands.annotate(ids[-5 * many : -4 * many])
    _timed("looked at", parts, fix=False)
    _timed("mended", parts, fix=True)
    _timed("again", parts, fix=False)


def _timed(what: str, parts: Parts, *, fix: bool) -> None:
    began = time.perf_counter()
    found = reconcile(parts, fix=fix)
    seconds = time.perf_counter() - began
    kinds = dict(Counter(f"{finding.kind} {finding.outcome}" for finding in found.findings))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what}: {seconds:.1f} s, peak {peak:.0f} MiB, difference {found.difference}, "
        f"{found.tasks_there} tasks, {kinds}",
        flush=True,
    )


@contextmanager
def _embedded(folder: Path) -> Iterator[tuple[Parts, Hands]]:
    store = open_store(f"sqlite:///{folder / 'workbench.db'}")
    store.upgrade()
    with EmbeddedLabeler(folder / "labeler.db") as labeler:
        embedded_annotator(labeler, "ada")
        yield make_parts(store, labeler, folder), Hands(labeler)


@contextmanager
def _label_studio(folder: Path) -> Iterator[tuple[Parts, Hands]]:
    store = open_store(f"sqlite:///{folder / 'workbench.db'}")
    store.upgrade()
    program = find_program({"PATH": ""}, ROOT / ".venv-label-studio/bin/label-studio")
    template = ROOT / ".cache" / "label-studio-template"
    with (
        LabelStudioServer(folder / "server", program=program, template_dir=template) as server,
        connect(server.url, server.owner.token, timeout=300) as labeler,
    ):
        parts = make_parts(store, labeler, folder)
        yield parts, StudioHands(labeler, server.url, server.owner.token, parts)


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or [14_000]
    opened = _label_studio if "--label-studio" in sys.argv else _embedded
    with tempfile.TemporaryDirectory() as place, opened(Path(place)) as (built, people):
        measure(built, people, sizes[0])
