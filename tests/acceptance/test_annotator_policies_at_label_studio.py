"""The policies for several annotators at a real Label Studio, with real people's sessions."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_people import LabelStudioAnnotator
from connectors.labelers.records import ServedTask
from tests.acceptance.conftest import CLASSES
from tests.conftest import RealLabelStudio
from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.records import LabelStatus
from workbench.steps.adjudicate import queue_state
from workbench.steps.parts import Parts

pytestmark = pytest.mark.external

POLICIES = """overlap = 2
[annotators]
min_confidence = 0.6
max_overlap = 3
adjudication = true
blind_share = 0.5
"""


@pytest.fixture
def parts(folder: Any, label_studio: RealLabelStudio) -> Iterator[Parts]:
    folder.ready(more=POLICIES)
    text = (folder.path / "workbench.toml").read_text().replace("a project", f"people {uuid4().hex[:8]}")
    folder.write(text.replace('kind = "embedded"', 'kind = "label-studio"'))
    assert folder.type("db", "upgrade").code == 0
    words = ("--features", "x,y", "--key", "key", "--label", "label", "--test-share", "0.2")
    assert folder.type("pool", "add", "items.csv", *words).code == 0
    with (
        connect(label_studio.url, label_studio.owner.token) as labeler,
        open_parts(folder.path / "workbench.toml", labeler=labeler) as opened,
    ):
        yield opened


def project(parts: Parts, queue: str = "") -> str:
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name + queue)
    assert link is not None
    return link.external_id


def work(person: LabelStudioAnnotator, project_id: str, label: Callable[[str], str]) -> dict[str, ServedTask]:
    served: dict[str, ServedTask] = {}
    while (task := person.next_task(project_id)) is not None:
        assert task.item_key is not None
        served[task.item_key] = task
        person.annotate(task.task_id, label(task.item_key), seconds=1.0)
    return served


def truth(key: str) -> str:
    return CLASSES[int(key[-2:]) % 3]


def other(key: str, step: int) -> str:
    return CLASSES[(int(key[-2:]) + step) % 3]


def test_a_doubt_goes_to_a_third_person_then_to_whoever_rules_and_blind_tasks_show_nothing(
    parts: Parts, label_studio: RealLabelStudio
) -> None:
    ann, ben, cem, eve = (label_studio.person(name) for name in ("ann", "ben", "cem", "eve"))
    loop.ask(parts, 4)
    main = project(parts)
    first, *rest = work(ann, main, truth)
    assert len(rest) == 3
    work(ben, main, lambda key: other(key, 1) if key == first else truth(key))
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state == "labeling"
    assert [list(work(person, main, truth)) for person in (ann, ben)] == [[], []]
    assert list(work(cem, main, lambda key: other(key, 2))) == [first]
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state == "closed"
    assert queue_state(parts).waiting == 1
    queue = project(parts, ":adjudication")
    assert queue != main
    served = work(eve, queue, truth)
    assert [task.note for task in served.values()] == ["Answers so far: 1 x low, 1 x middle, 1 x high"]
    assert served[first].prediction is None
    loop.tell(parts)
    with parts.store.read() as tx:
        labels = {label.item_key: label for label in tx.annotations.labels(parts.project.id)}
    assert (labels[first].value, labels[first].method) == (truth(first), "adjudicated")
    assert {label.status for label in labels.values()} == {LabelStatus.AGREED}
    asked = loop.ask(parts, 4)
    with parts.store.read() as tx:
        picks = {pick.item_key: pick for pick in tx.tasks.selections(asked.id)}
        blind = {task.item_key for task in tx.tasks.of_round(asked.id) if task.blind}
    shown = {key: task.prediction for key, task in work(ann, main, truth).items()}
    assert len(blind) == 2
    assert shown == {key: None if key in blind else pick.predicted for key, pick in picks.items()}
    assert list(shown) == list(picks)


def test_a_round_does_not_wait_for_ever_where_somebody_answered_twice(
    parts: Parts, label_studio: RealLabelStudio
) -> None:
    ann, ben, cem = (label_studio.person(name) for name in ("ann", "ben", "cem"))
    loop.ask(parts, 3)
    main = project(parts)
    first, *rest = work(ann, main, truth).values()
    ann.annotate(first.task_id, truth(str(first.item_key)), seconds=1.0)
    work(ben, main, lambda key: other(key, 1) if key == rest[0].item_key else truth(key))
    ben.annotate(rest[0].task_id, other(str(rest[0].item_key), 1), seconds=1.0)
    loop.tell(parts)
    assert set(work(cem, main, truth)) == {first.item_key, rest[0].item_key}
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state == "closed"
