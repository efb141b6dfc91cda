"""What the embedded labeler promises beyond the contract: it lasts, it is quick, its time never repeats."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.errors import LabelerRefused, LabelerUnreachable
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, TaskType

SPEC = ProjectSpec(title="a title", task_type=TaskType.TEXT, classes=("cat", "dog"))


def tasks(number: int) -> list[OutgoingTask]:
    return [
        OutgoingTask(
            item_key=f"item-{position}",
            round_key="round-1",
            content="a text",
            prediction=Prediction(label="cat", score=float(-position), model_version="model-1"),
        )
        for position in range(number)
    ]


def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "labeler.db"
    with EmbeddedLabeler(path) as labeler:
        project = labeler.open_project(SPEC)
        sent = labeler.send_tasks(project.project_id, tasks(3))
        made = embedded_annotator(labeler, "ann").annotate(sent[0].task_id, "dog", seconds=1.5)
    with EmbeddedLabeler(path) as labeler:
        assert labeler.open_project(SPEC) == project
        labels = {
            one.item_key: [(a.annotation_id, a.annotator, a.label) for a in one.annotations]
            for one in labeler.changed_tasks(project.project_id, None)
        }
    assert labels == {"item-0": [(made, "ann", "dog")], "item-1": [], "item-2": []}


def test_ids_are_never_given_away_again(tmp_path: Path) -> None:
    with EmbeddedLabeler() as labeler:
        project = labeler.open_project(SPEC).project_id
        (first,) = labeler.send_tasks(project, tasks(1))
        labeler.delete_tasks(project, [first.task_id])
        (second,) = labeler.send_tasks(project, tasks(1))
    assert first.task_id != second.task_id


def test_moments_rise_even_when_the_clock_stands_still_or_goes_back() -> None:
    moments = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in (5, 5, 1, 5, 2, 2)]
    with EmbeddedLabeler(
        clock=lambda: moments.pop(0) if moments else datetime(2020, 1, 1, tzinfo=UTC)
    ) as labeler:
        project = labeler.open_project(SPEC).project_id
        sent = labeler.send_tasks(project, tasks(2))
        ann = embedded_annotator(labeler, "ann")
        seen = []
        for task in sent:
            ann.annotate(task.task_id, "cat", seconds=1.0)
            seen.append(max(one.updated_at for one in labeler.changed_tasks(project, None)))
    assert seen == sorted(set(seen))


def test_ten_thousand_tasks_are_sent_found_and_served_quickly(tmp_path: Path) -> None:
    began = time.monotonic()
    with EmbeddedLabeler(tmp_path / "labeler.db") as labeler:
        project = labeler.open_project(SPEC).project_id
        sent = labeler.send_tasks(project, tasks(10_000))
        assert labeler.find_tasks(project, "round-1", [task.item_key for task in sent]) == sent
        ann = embedded_annotator(labeler, "ann")
        for _ in range(20):
            served = ann.next_task(project)
            assert served is not None
            ann.annotate(served.task_id, "cat", seconds=1.0)
        assert served.item_key == "item-9980"
    assert time.monotonic() - began < 10


def test_two_people_in_two_threads_never_share_a_task(tmp_path: Path) -> None:
    labeled: dict[str, list[str | None]] = {"ann": [], "ben": []}
    with EmbeddedLabeler(tmp_path / "labeler.db") as labeler:
        project = labeler.open_project(SPEC).project_id
        labeler.send_tasks(project, tasks(60))

        def work(name: str) -> None:
            person = embedded_annotator(labeler, name)
            while (served := person.next_task(project)) is not None:
                labeled[name].append(served.item_key)
                person.annotate(served.task_id, "cat", seconds=1.0)

        threads = [threading.Thread(target=work, args=(name,)) for name in labeled]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    both = labeled["ann"] + labeled["ben"]
    assert len(both) == len(set(both)) == 60


def test_a_label_that_is_given_twice_by_one_person_counts_once() -> None:
    with EmbeddedLabeler() as labeler:
        project = labeler.open_project(ProjectSpec(**{**_fields(SPEC), "overlap": 2})).project_id
        (sent,) = labeler.send_tasks(project, tasks(1))
        for _ in range(2):
            embedded_annotator(labeler, "ann").annotate(sent.task_id, "cat", seconds=1.0)
        assert embedded_annotator(labeler, "ben").next_task(project) is not None


def _fields(spec: ProjectSpec) -> dict[str, object]:
    return {"title": spec.title, "task_type": spec.task_type, "classes": spec.classes}


@pytest.mark.parametrize("wrong", ["99", "x"])
def test_what_is_not_there_is_refused_by_name(wrong: str) -> None:
    with EmbeddedLabeler() as labeler:
        ann = embedded_annotator(labeler, "ann")
        for act in (
            lambda: ann.annotate(wrong, "cat", seconds=1.0),
            lambda: ann.skip(wrong, seconds=1.0),
            lambda: ann.edit(wrong, "cat"),
            lambda: ann.delete(wrong),
        ):
            with pytest.raises(LabelerRefused, match=wrong):
                act()


def test_a_file_that_can_not_be_used_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(LabelerUnreachable, match="nowhere"):
        EmbeddedLabeler(tmp_path / "nowhere" / "labeler.db")
    (tmp_path / "text.db").write_text("this is no database, and long enough to be told apart from one" * 20)
    with pytest.raises(LabelerUnreachable, match=r"text\.db"):
        EmbeddedLabeler(tmp_path / "text.db")


WORKER = """
import sys
from pathlib import Path
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.connectors.labelers.test_embedded import SPEC, tasks
labeler = EmbeddedLabeler(Path(sys.argv[1]))
project = labeler.open_project(SPEC).project_id
ann = embedded_annotator(labeler, "ann")
print("ready", flush=True)
while True:
    for task in labeler.send_tasks(project, tasks(50))[:5]:
        ann.annotate(task.task_id, "cat", seconds=1.0)
"""


@pytest.mark.chaos
@pytest.mark.parametrize("milliseconds", [3, 20, 60, 110])
def test_a_killed_process_leaves_whole_batches_only(tmp_path: Path, milliseconds: int) -> None:
    path = tmp_path / "labeler.db"
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, cwd=root, env={**os.environ}
    ) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(milliseconds / 1000)
        worker.send_signal(signal.SIGKILL)
    with EmbeddedLabeler(path) as labeler:
        project = labeler.open_project(SPEC).project_id
        assert len(list(labeler.all_tasks(project))) % 50 == 0
        for one in labeler.changed_tasks(project, None):
            assert [annotation.label for annotation in one.annotations] in ([], ["cat"])
        assert len(labeler.send_tasks(project, tasks(1))) == 1
