"""What every labeler promises; a new labeler is one more line in ``LABELERS``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from connectors.errors import LabelerRefused, ProjectDoesNotFit
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.file_drop import FileDropLabeler
from connectors.labelers.file_drop_people import file_drop_annotator
from connectors.labelers.label_studio import connect
from connectors.labelers.protocol import Annotator, Labeler
from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    Problem,
    ProjectSpec,
    RemoteAnnotation,
    RemoteProject,
    RemoteTask,
    TaskType,
)


class Person(Annotator, Protocol):
    def inject(self, task_id: str, result: object, *, skipped: bool = False) -> str: ...


@dataclass
class World:
    """A labeler and the people who work there."""

    labeler: Labeler
    person: Callable[[str], Person]

    def project(self, **changes: Any) -> RemoteProject:
        return self.labeler.open_project(spec(**changes))


def embedded_in_memory(stack: ExitStack, request: pytest.FixtureRequest) -> World:
    labeler = stack.enter_context(EmbeddedLabeler())
    return World(labeler, lambda name: embedded_annotator(labeler, name))


def embedded_in_a_file(stack: ExitStack, request: pytest.FixtureRequest) -> World:
    path: Path = request.getfixturevalue("tmp_path") / "labeler.db"
    labeler = stack.enter_context(EmbeddedLabeler(path))
    return World(labeler, lambda name: embedded_annotator(labeler, name))


def plain_files(stack: ExitStack, request: pytest.FixtureRequest) -> World:
    folder: Path = request.getfixturevalue("tmp_path") / "drop"
    labeler = stack.enter_context(FileDropLabeler(folder))
    return World(labeler, lambda name: file_drop_annotator(labeler, name))


def real_label_studio(stack: ExitStack, request: pytest.FixtureRequest) -> World:
    server = request.getfixturevalue("label_studio")
    labeler = stack.enter_context(connect(server.url, server.owner.token))
    return World(labeler, server.person)


LABELERS = [
    embedded_in_memory,
    embedded_in_a_file,
    plain_files,
    pytest.param(real_label_studio, marks=pytest.mark.external),
]


@pytest.fixture(params=LABELERS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield request.param(stack, request)


def spec(**changes: Any) -> ProjectSpec:
    usual: dict[str, Any] = {
        "title": f"contract {uuid4().hex[:12]}",
        "task_type": TaskType.TEXT,
        "classes": ("cat", "dog"),
    }
    return ProjectSpec(**(usual | changes))


def task(key: str, *, round_key: str = "round-1", content: str = "a text", **prediction: Any) -> OutgoingTask:
    guess = None
    if prediction:
        guess = Prediction(**({"label": "cat", "model_version": "model-1"} | prediction))
    return OutgoingTask(item_key=key, round_key=round_key, content=content, prediction=guess)


def tasks_by_item(world: World, project: RemoteProject) -> dict[str | None, RemoteTask]:
    return {found.item_key: found for found in world.labeler.changed_tasks(project.project_id, None)}


def only_annotation(world: World, project: RemoteProject) -> RemoteAnnotation:
    (found,) = [
        annotation
        for task in world.labeler.changed_tasks(project.project_id, None)
        for annotation in task.annotations
    ]
    return found


def test_opening_a_project_twice_gives_the_same_project(world: World) -> None:
    wanted = spec()
    assert world.labeler.open_project(wanted) == world.labeler.open_project(wanted)


def test_the_tasks_of_a_round_are_counted_with_their_doubles(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(key) for key in "aab"])
    world.labeler.send_tasks(project.project_id, [task("c", round_key="round-2")])
    assert world.labeler.count_tasks(project.project_id, "round-1") == 3
    world.labeler.delete_tasks(project.project_id, [sent[0].task_id])
    counts = [world.labeler.count_tasks(project.project_id, name) for name in ("round-1", "round-2", "none")]
    assert counts == [2, 1, 0]


def test_to_be_called_twice_is_once(world: World) -> None:
    project = world.project()
    for _ in range(2):
        url = "http://127.0.0.1:9/hooks/label-studio/0123abcd"
        world.labeler.ensure_webhook(project.project_id, url, "a secret of some length")
    world.labeler.send_tasks(project.project_id, [task("a")])
    # Nobody listens there: the person is not kept from labeling.
    assert work_through(world.person("ann"), project) == ["a"]


def test_more_items_than_are_asked_for_one_by_one_are_found_too(world: World) -> None:
    project = world.project()
    keys = [f"item-{number}" for number in range(700)]
    world.labeler.send_tasks(project.project_id, [task(key) for key in keys])
    found = world.labeler.find_tasks(project.project_id, "round-1", [*keys[:600], "nowhere"])
    assert [one.item_key for one in found] == keys[:600]


def test_another_title_is_another_project(world: World) -> None:
    assert world.project().project_id != world.project().project_id


def test_a_project_with_the_same_title_must_fit(world: World) -> None:
    title = world.labeler.open_project(spec(title=f"same {uuid4().hex[:8]}"))
    assert title.classes == ("cat", "dog")
    wanted = spec()
    world.labeler.open_project(wanted)
    with pytest.raises(ProjectDoesNotFit, match=r"bird.*dog"):
        world.labeler.open_project(spec(title=wanted.title, classes=("cat", "bird")))


def test_an_existing_project_is_adopted_whatever_the_order_of_its_classes(world: World) -> None:
    project = world.project()
    adopted = world.project(existing_id=project.project_id, classes=("dog", "cat"))
    assert adopted.project_id == project.project_id
    assert set(adopted.classes) == {"cat", "dog"}


def test_a_project_of_another_task_type_is_not_adopted(world: World) -> None:
    project = world.project()
    with pytest.raises(ProjectDoesNotFit):
        world.project(existing_id=project.project_id, task_type=TaskType.IMAGE)


@pytest.mark.parametrize("wrong", ["999999", "not-a-number"])
def test_a_project_that_does_not_exist_is_refused(world: World, wrong: str) -> None:
    with pytest.raises(LabelerRefused, match=wrong):
        world.project(existing_id=wrong)
    with pytest.raises(LabelerRefused, match=wrong):
        world.labeler.send_tasks(wrong, [task("a")])
    with pytest.raises(LabelerRefused, match=wrong):
        list(world.labeler.changed_tasks(wrong, None))
    with pytest.raises(LabelerRefused, match=wrong):
        world.labeler.release(wrong, "model-1")


@pytest.mark.parametrize("title", ["ab", "x" * 51, " padded "])
def test_titles_that_not_every_labeler_takes_are_refused(world: World, title: str) -> None:
    with pytest.raises(LabelerRefused, match="3 to 50"):
        world.project(title=title)


AWKWARD_CLASSES = ('say "cat"', "it's", "a < b & c > d", "kitten 🐈", "ünïcode", "a\nb", "$image", "&amp;")


def test_class_names_may_hold_quotes_markup_and_emoji(world: World) -> None:
    project = world.project(classes=AWKWARD_CLASSES)
    assert project.classes == AWKWARD_CLASSES
    world.labeler.send_tasks(project.project_id, [task(name) for name in AWKWARD_CLASSES])
    ann = world.person("ann")
    for found in world.labeler.all_tasks(project.project_id):
        ann.annotate(found.task_id, found.item_key, seconds=1.0)
    answers = {key: found.annotations[0].label for key, found in tasks_by_item(world, project).items()}
    assert answers == {name: name for name in AWKWARD_CLASSES}


@pytest.mark.parametrize("classes", [(), ("cat", "cat"), ("cat", ""), ("cat", "dog "), ("cat", "\x07")])
def test_class_names_that_can_not_be_kept_are_refused(world: World, classes: tuple[str, ...]) -> None:
    with pytest.raises(LabelerRefused, match="class names"):
        world.project(classes=classes)


def test_ids_come_back_in_request_order_and_are_found_again(world: World) -> None:
    project = world.project()
    keys = [f"item-{number:03}" for number in (5, 1, 4, 2, 3)]
    sent = world.labeler.send_tasks(project.project_id, [task(key) for key in keys])
    assert [one.item_key for one in sent] == keys
    assert sorted(sent, key=lambda one: int(one.task_id)) == sent
    assert world.labeler.find_tasks(project.project_id, "round-1", keys) == sent
    assert list(world.labeler.all_tasks(project.project_id)) == sent


def test_only_the_items_and_the_round_that_were_asked_for_are_found(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(
        project.project_id, [task("a"), task("b"), task("a", round_key="round-10"), task("A"), task("aa")]
    )
    assert world.labeler.find_tasks(project.project_id, "round-1", ["a", "missing"]) == sent[:1]
    assert world.labeler.find_tasks(project.project_id, "round-10", ["a", "b"]) == sent[2:3]
    assert world.labeler.find_tasks(project.project_id, "round-1", []) == []


def test_sending_twice_doubles_and_both_are_found(world: World) -> None:
    project = world.project()
    first = world.labeler.send_tasks(project.project_id, [task("a"), task("b")])
    second = world.labeler.send_tasks(project.project_id, [task("a")])
    found = world.labeler.find_tasks(project.project_id, "round-1", ["a"])
    assert found == [first[0], second[0]]


def test_sending_nothing_does_nothing(world: World) -> None:
    project = world.project()
    assert world.labeler.send_tasks(project.project_id, []) == []
    assert list(world.labeler.all_tasks(project.project_id)) == []


AWKWARD_KEYS = (
    "007",
    "7",
    "a,b",
    'with "quotes"',
    "snow ☃ and 🐈",
    "x" * 300,
    "a/b?c=d&e",
    " padded ",
    "$text",
    "null",
)


def test_awkward_item_keys_travel_unchanged(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(
        project.project_id, [task(key, round_key="round ☃ 1") for key in AWKWARD_KEYS]
    )
    for key, one in zip(AWKWARD_KEYS, sent, strict=True):
        assert world.labeler.find_tasks(project.project_id, "round ☃ 1", [key]) == [one]
    assert world.labeler.find_tasks(project.project_id, "round ☃ 1", AWKWARD_KEYS) == sent
    assert set(tasks_by_item(world, project)) == set(AWKWARD_KEYS)


def test_three_thousand_keys_are_looked_up_at_once(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(f"item-{number}") for number in range(450)])
    keys = [f"item-{number}" for number in range(3000)]
    assert world.labeler.find_tasks(project.project_id, "round-1", keys) == sent


def test_a_text_of_a_megabyte_is_taken(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("long", content="snow ☃ " * 120_000)])
    assert len(list(world.labeler.all_tasks(project.project_id))) == 1


@pytest.mark.parametrize("broken", ["a\x00b", "half \ud83d"])
def test_a_text_that_no_database_keeps_is_refused_and_named(world: World, broken: str) -> None:
    project = world.project()
    with pytest.raises(LabelerRefused, match="'bad'"):
        world.labeler.send_tasks(project.project_id, [task("good"), task("bad", content=broken)])
    assert list(world.labeler.all_tasks(project.project_id)) == []


def test_deleting_twice_is_once(world: World) -> None:
    project = world.project()
    first, second = world.labeler.send_tasks(project.project_id, [task("a"), task("b")])
    for _ in range(2):
        world.labeler.delete_tasks(project.project_id, [first.task_id])
    world.labeler.delete_tasks(project.project_id, [])
    assert list(world.labeler.all_tasks(project.project_id)) == [second]
    assert set(tasks_by_item(world, project)) == {"b"}


def test_an_annotation_arrives_with_everything_known_about_it(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a")])
    ann = world.person("ann")
    served = ann.next_task(project.project_id)
    assert served is not None
    made = ann.annotate(served.task_id, "dog", seconds=2.5)
    found = only_annotation(world, project)
    assert (found.annotation_id, found.annotator, found.label) == (made, ann.name, "dog")
    assert (found.problem, found.skipped, found.seconds) == (None, False, 2.5)
    assert found.created_at.tzinfo is UTC
    assert found.updated_at.tzinfo is UTC
    assert found.raw["result"]
    assert [one.annotated for one in world.labeler.all_tasks(project.project_id)] == [True]


def test_every_change_moves_the_cursor_and_nothing_else_does(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(key) for key in "abc"])
    ann = world.person("ann")
    cursor = max(one.updated_at for one in world.labeler.changed_tasks(project.project_id, None))

    def changed() -> list[RemoteTask]:
        nonlocal cursor
        since = cursor + timedelta(microseconds=1)
        found = list(world.labeler.changed_tasks(project.project_id, since))
        cursor = max([cursor, *(one.updated_at for one in found)])
        return found

    assert changed() == []
    made = ann.annotate(sent[1].task_id, "cat", seconds=1.0)
    (one,) = changed()
    assert (one.task_id, one.annotations[0].label) == (sent[1].task_id, "cat")
    ann.edit(made, "dog")
    (one,) = changed()
    assert one.annotations[0].label == "dog"
    assert one.annotations[0].annotation_id == made
    assert one.annotations[0].updated_at > one.annotations[0].created_at
    ann.delete(made)
    (one,) = changed()
    assert (one.item_key, one.annotations) == ("b", ())
    made = ann.skip(sent[2].task_id, seconds=4.0)
    (one,) = changed()
    assert (one.annotations[0].skipped, one.annotations[0].label, one.annotations[0].seconds) == (
        True,
        None,
        4.0,
    )
    ann.edit(made, "cat")
    (one,) = changed()
    assert (one.annotations[0].skipped, one.annotations[0].label) == (False, "cat")
    assert changed() == []


def test_the_labelers_clock_stamps_no_change_before_it_was_asked(world: World) -> None:
    project = world.project()
    begun = world.labeler.clock()
    (sent,) = world.labeler.send_tasks(project.project_id, [task("a")])
    world.person("ann").annotate(sent.task_id, "cat", seconds=1.0)
    (found,) = world.labeler.changed_tasks(project.project_id, None)
    # A labeler may tell no time; one that does tells whole seconds.
    assert begun is None or begun - timedelta(seconds=1) <= found.updated_at


def test_the_cursor_is_inclusive(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(key) for key in "ab"])
    world.person("ann").annotate(sent[0].task_id, "cat", seconds=1.0)
    newest = max(one.updated_at for one in world.labeler.changed_tasks(project.project_id, None))
    assert [one.item_key for one in world.labeler.changed_tasks(project.project_id, newest)] == ["a"]


def test_many_tasks_are_streamed_without_a_gap(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task(f"item-{number}") for number in range(1234)])
    keys = [one.item_key for one in world.labeler.changed_tasks(project.project_id, None)]
    assert len(keys) == len(set(keys)) == 1234
    assert len(list(world.labeler.all_tasks(project.project_id))) == 1234


def test_a_task_that_changes_while_it_is_streamed_is_not_lost(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(f"item-{number}") for number in range(700)])
    ann = world.person("ann")
    labels: dict[str | None, set[str | None]] = {}
    for position, one in enumerate(world.labeler.changed_tasks(project.project_id, None)):
        labels[one.item_key] = {annotation.label for annotation in one.annotations}
        if position in (50, 350):
            ann.annotate(sent[position - 20].task_id, "cat", seconds=1.0)
    assert len(labels) == 700
    assert [key for key, found in labels.items() if found] == ["item-30", "item-330"]


def choice(*labels: object, **changes: object) -> dict[str, object]:
    usual = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}
    return usual | changes


INVALID = {
    "nothing chosen": ([], Problem.EMPTY),
    "an empty choice": ([choice()], Problem.EMPTY),
    "no choice": ([choice(value={})], Problem.EMPTY),
    "a class that is not there": ([choice("bird")], Problem.UNKNOWN_LABEL),
    "another case": ([choice("Cat")], Problem.UNKNOWN_LABEL),
    "two classes": ([choice("cat", "dog")], Problem.SEVERAL_LABELS),
    "two answers": ([choice("cat"), choice("dog")], Problem.SEVERAL_LABELS),
    "a foreign tag": ([choice("cat", from_name="other")], Problem.MALFORMED),
    "a foreign object": ([choice("cat", to_name="other")], Problem.MALFORMED),
    "another type": ([choice("cat", type="labels")], Problem.MALFORMED),
    "not a result": ([{"foo": 1}], Problem.MALFORMED),
    "a number": ([choice(7)], Problem.MALFORMED),
    "a path": ([choice(["cat"])], Problem.MALFORMED),
    "a class and something else": ([choice("cat"), {"foo": 1}], Problem.MALFORMED),
    "a bare text": ([choice(value={"choices": "cat"})], Problem.MALFORMED),
}


def test_invalid_annotations_are_kept_but_never_carry_a_label(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task(name) for name in INVALID])
    ann = world.person("ann")
    for one in sent:
        ann.inject(one.task_id, INVALID[one.item_key][0])
    found = {key: one.annotations[0] for key, one in tasks_by_item(world, project).items()}
    assert {name: one.problem for name, one in found.items()} == {
        name: why for name, (_, why) in INVALID.items()
    }
    assert {(one.label, one.skipped) for one in found.values()} == {(None, False)}


def test_a_skip_that_keeps_the_suggested_label_carries_no_label(world: World) -> None:
    project = world.project()
    (sent,) = world.labeler.send_tasks(project.project_id, [task("a", score=0.1)])
    world.person("ann").inject(sent.task_id, [choice("cat")], skipped=True)
    found = only_annotation(world, project)
    assert (found.label, found.problem, found.skipped) == (None, None, True)


def work_through(person: Annotator, project: RemoteProject, label: str = "cat") -> list[str | None]:
    order = []
    for _ in count():
        served = person.next_task(project.project_id)
        if served is None:
            return order
        order.append(served.item_key)
        person.annotate(served.task_id, label, seconds=1.0)
    return order


def test_the_smallest_score_of_the_released_model_is_served_first(world: World) -> None:
    project = world.project()
    scores = {"a": 0.5, "b": -3.0, "c": 12.5, "d": 0.25, "e": -0.5}
    world.labeler.send_tasks(project.project_id, [task(key, score=score) for key, score in scores.items()])
    world.labeler.release(project.project_id, "model-1")
    assert work_through(world.person("ann"), project) == sorted(scores, key=scores.__getitem__)


def test_a_model_of_which_no_task_carries_a_prediction_can_be_released(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a", score=1.0), task("b", score=0.0)])
    world.labeler.release(project.project_id, "model-1")
    world.labeler.release(project.project_id, "model-nobody-asked")
    assert sorted(map(str, work_through(world.person("ann"), project))) == ["a", "b"]


def test_a_prediction_without_a_label_orders_too(world: World) -> None:
    project = world.project()
    scores = {"a": 3.0, "b": 1.0, "c": 2.0}
    sent = [task(key, score=score, label=None) for key, score in scores.items()]
    world.labeler.send_tasks(project.project_id, sent)
    world.labeler.release(project.project_id, "model-1")
    ann = world.person("ann")
    served = ann.next_task(project.project_id)
    assert served is not None
    assert (served.item_key, served.prediction) == ("b", None)
    assert work_through(ann, project) == ["b", "c", "a"]


def test_a_new_release_comes_before_what_is_left_of_the_old_one(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("old-1", score=-9.0), task("old-2", score=-8.0)])
    world.labeler.release(project.project_id, "model-1")
    ann = world.person("ann")
    served = ann.next_task(project.project_id)
    assert served is not None
    ann.annotate(served.task_id, "cat", seconds=1.0)
    new = [
        task(f"new-{score}", round_key="round-2", score=score, model_version="model-2")
        for score in (2.0, 1.0)
    ]
    world.labeler.send_tasks(project.project_id, new)
    world.labeler.release(project.project_id, "model-2")
    assert [served.item_key, *work_through(ann, project)] == ["old-1", "new-1.0", "new-2.0", "old-2"]


def test_the_suggestion_is_shown_when_the_project_says_so(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a", score=0.1, label="dog")])
    world.labeler.release(project.project_id, "model-1")
    served = world.person("ann").next_task(project.project_id)
    assert served is not None
    assert served.prediction == "dog"


def test_the_suggestion_is_hidden_when_the_project_says_so(world: World) -> None:
    project = world.project(show_predictions=False)
    world.labeler.send_tasks(project.project_id, [task("b", score=0.2), task("a", score=0.1, label="dog")])
    world.labeler.release(project.project_id, "model-1")
    served = world.person("ann").next_task(project.project_id)
    assert served is not None
    assert (served.item_key, served.prediction) == ("a", None)


def test_a_served_task_stays_with_its_annotator_until_it_is_answered(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a", score=0.2), task("b", score=0.3)])
    world.labeler.release(project.project_id, "model-1")
    ann, ben = world.person("ann"), world.person("ben")
    first = ann.next_task(project.project_id)
    other = ben.next_task(project.project_id)
    assert first is not None
    assert other is not None
    assert (first.item_key, other.item_key) == ("a", "b")
    world.labeler.send_tasks(project.project_id, [task("c", score=-5.0)])
    assert ann.next_task(project.project_id) == first
    ann.annotate(first.task_id, "cat", seconds=1.0)
    assert work_through(ann, project) == ["c"]


def test_a_skipped_task_goes_to_somebody_else(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a", score=0.1)])
    ann, ben = world.person("ann"), world.person("ben")
    served = ann.next_task(project.project_id)
    assert served is not None
    ann.skip(served.task_id, seconds=1.0)
    assert ann.next_task(project.project_id) is None
    assert work_through(ben, project) == ["a"]
    answers = {one.annotator: one.label for one in tasks_by_item(world, project)["a"].annotations}
    assert answers == {ann.name: None, ben.name: "cat"}


def test_a_task_is_served_until_enough_people_have_answered(world: World) -> None:
    project = world.project(overlap=2)
    world.labeler.send_tasks(project.project_id, [task("a", score=0.1), task("b", score=0.2)])
    people = [world.person(name) for name in ("ann", "ben", "cem")]
    served = [sorted(filter(None, work_through(person, project))) for person in people]
    assert served == [["a", "b"], ["a", "b"], []]
    assert {len(one.annotations) for one in tasks_by_item(world, project).values()} == {2}


def test_an_annotation_that_is_taken_back_reopens_its_task(world: World) -> None:
    project = world.project()
    world.labeler.send_tasks(project.project_id, [task("a")])
    ann = world.person("ann")
    served = ann.next_task(project.project_id)
    assert served is not None
    ann.delete(ann.annotate(served.task_id, "cat", seconds=1.0))
    assert work_through(world.person("ben"), project) == ["a"]


def test_a_task_that_needs_one_more_answer_goes_to_somebody_who_has_not_answered_it(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(project.project_id, [task("a", score=0.1), task("b", score=0.2)])
    world.labeler.release(project.project_id, "model-1")
    ann, ben, cem = (world.person(name) for name in ("ann", "ben", "cem"))
    assert work_through(ann, project) == ["a", "b"]
    assert work_through(ben, project) == []
    for _ in range(2):
        world.labeler.set_overlap(project.project_id, {sent[1].task_id: 2})
    assert work_through(ann, project) == []
    assert work_through(ben, project) == ["b"]
    assert work_through(cem, project) == []
    assert [len(one.annotations) for one in tasks_by_item(world, project).values()] == [1, 2]


def test_a_task_that_needs_fewer_answers_than_the_project_is_done_sooner(world: World) -> None:
    project = world.project(overlap=2)
    (sent,) = world.labeler.send_tasks(project.project_id, [task("a")])
    world.labeler.set_overlap(project.project_id, {sent.task_id: 1})
    assert work_through(world.person("ann"), project) == ["a"]
    assert work_through(world.person("ben"), project) == []


def test_who_answers_twice_is_not_two_people(world: World) -> None:
    project = world.project(overlap=2)
    (sent,) = world.labeler.send_tasks(project.project_id, [task("a")])
    ann, ben, cem = (world.person(name) for name in ("ann", "ben", "cem"))
    assert work_through(ann, project) == ["a"]
    ann.annotate(sent.task_id, "dog", seconds=1.0)
    for _ in range(2):
        world.labeler.set_overlap(project.project_id, {sent.task_id: 2})
    assert [work_through(who, project) for who in (ann, ben, cem)] == [[], ["a"], []]


def test_a_task_that_is_gone_needs_no_answers(world: World) -> None:
    project = world.project()
    (sent,) = world.labeler.send_tasks(project.project_id, [task("a")])
    world.labeler.delete_tasks(project.project_id, [sent.task_id])
    world.labeler.set_overlap(project.project_id, {sent.task_id: 3})
    world.labeler.set_overlap(project.project_id, {})


def test_a_note_is_shown_with_its_task(world: World) -> None:
    project = world.project(notes=True)
    sent = replace(task("a"), note="2 x cat, 1 x dog")
    world.labeler.send_tasks(project.project_id, [sent])
    served = world.person("ann").next_task(project.project_id)
    assert served is not None
    assert (served.item_key, served.note) == ("a", "2 x cat, 1 x dog")
    assert work_through(world.person("ann"), project) == ["a"]
    assert only_annotation(world, project).label == "cat"


def test_a_project_is_described_as_it_is_set_up_now(world: World) -> None:
    project = world.project(overlap=2, show_predictions=False)
    world.labeler.send_tasks(project.project_id, [task("a", score=0.1)])
    world.labeler.release(project.project_id, "model-1")
    facts = world.labeler.describe_project(project.project_id)
    assert facts is not None
    assert (facts.control, facts.classes, facts.problem) == ("label", ("cat", "dog"), None)
    assert (facts.overlap, facts.show_predictions, facts.most_wanted_first) == (2, False, True)
    assert facts.model_version == "model-1"


def test_a_project_that_does_not_exist_is_described_as_none(world: World) -> None:
    assert world.labeler.describe_project("999999") is None
    with pytest.raises(LabelerRefused, match="999999"):
        list(world.labeler.survey_tasks("999999"))


def test_every_task_is_surveyed_with_what_it_shows_and_what_models_said(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(
        project.project_id,
        [task("a", score=0.25, label="dog"), task("b", content="no guess"), task("c", score=0.5, label=None)],
    )
    world.person("ann").annotate(sent[1].task_id, "cat", seconds=1.0)
    a, b, c = world.labeler.survey_tasks(project.project_id)
    assert (a.task_id, a.item_key, a.round_key) == (sent[0].task_id, "a", "round-1")
    assert (a.annotated, b.annotated) == (False, True)
    assert (a.content, b.content) == ("a text", "no guess")
    assert a.predictions == (Prediction(label="dog", score=0.25, model_version="model-1"),)
    assert b.predictions == ()
    assert c.predictions == (Prediction(label=None, score=0.5, model_version="model-1"),)


def test_predictions_that_are_set_replace_the_others_and_order_the_tasks(world: World) -> None:
    project = world.project()
    sent = world.labeler.send_tasks(
        project.project_id, [task("a", score=0.1), task("b", score=0.2), task("c", score=0.3), task("gone")]
    )
    world.labeler.delete_tasks(project.project_id, [sent[3].task_id])
    wanted = {
        sent[0].task_id: Prediction(label="dog", score=0.9, model_version="model-2"),
        sent[1].task_id: Prediction(label=None, score=0.7, model_version="model-2"),
        sent[2].task_id: Prediction(label="cat", score=0.1, model_version="model-2"),
        sent[3].task_id: Prediction(label="cat", score=0.0, model_version="model-2"),
    }
    for _ in range(2):
        world.labeler.set_predictions(project.project_id, wanted)
    found = {one.task_id: one.predictions for one in world.labeler.survey_tasks(project.project_id)}
    assert found == {key: (guess,) for key, guess in wanted.items() if key != sent[3].task_id}
    world.labeler.release(project.project_id, "model-2")
    assert work_through(world.person("ann"), project) == ["c", "b", "a"]
