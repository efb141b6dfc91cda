"""Several annotators in whole rounds: more opinions where in doubt, gold, blind tasks, rulings, relabels."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import OutcomeUnknown
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import EmbeddedAnnotator, embedded_annotator
from connectors.labelers.records import ServedTask
from tests.acceptance.conftest import CLASSES
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts
from workbench.domain.adjudication import queue_name
from workbench.domain.errors import BudgetExhausted
from workbench.domain.records import Label, LabelStatus, Reason, Selection, Split, Task, TaskState
from workbench.domain.rounds import Round
from workbench.loop import Told
from workbench.steps.adjudicate import queue_state, queue_title
from workbench.steps.parts import Parts
from workbench.steps.relabel import labeled_items
from workbench.storage.diary import Wanted as EventsWanted


def truth(key: str) -> str:
    return CLASSES[int(key[-2:]) % 3]


def wrong(key: str) -> str:
    return CLASSES[(int(key[-2:]) + 1) % 3]


@dataclass
class World:
    """A project with people."""

    parts: Parts
    labeler: EmbeddedLabeler

    def person(self, name: str) -> EmbeddedAnnotator:
        return embedded_annotator(self.labeler, name)

    def work(self, name: str, says: Callable[[str], str | None] = truth, queue: str = "") -> list[str]:
        """Have a person answer all that is served; gives the keys in that order."""
        person, project = self.person(name), self.project(queue)
        done: list[str] = []
        while project is not None and (task := person.next_task(project)) is not None:
            assert task.item_key is not None
            done.append(task.item_key)
            label = says(task.item_key)
            if label is None:
                person.skip(task.task_id, seconds=1.0)
            else:
                person.annotate(task.task_id, label, seconds=1.0)
        return done

    def serve(self, name: str, queue: str = "") -> ServedTask | None:
        project = self.project(queue)
        return None if project is None else self.person(name).next_task(project)

    def project(self, queue: str = "") -> str | None:
        with self.parts.store.read() as tx:
            link = tx.projects.link(self.parts.project.id, self.labeler.name + queue)
        return link.external_id if link else None

    def ask(self, size: int | None = None) -> list[Selection]:
        asked = loop.ask(self.parts, size)
        with self.parts.store.read() as tx:
            return tx.tasks.selections(asked.id)

    def tell(self, *, close: bool = False) -> Told:
        return loop.tell(self.parts, close=close)

    def tasks(self) -> dict[str, Task]:
        with self.parts.store.read() as tx:
            rounds: list[Round] = tx.rounds.all(self.parts.project.id)
            return {task.item_key: task for task in tx.tasks.of_round(rounds[-1].id)}

    def queued(self) -> list[Task]:
        with self.parts.store.read() as tx:
            return tx.wanted.in_queue(self.parts.project.id, queue_name(self.labeler.name))

    def labels(self) -> dict[str, Label]:
        with self.parts.store.read() as tx:
            return {label.item_key: label for label in tx.annotations.labels(self.parts.project.id)}

    def spent(self) -> Any:
        with self.parts.store.read() as tx:
            return tx.results.spending(self.parts.project.id)

    def promised(self) -> Any:
        with self.parts.store.read() as tx:
            return tx.wanted.promised(self.parts.project.id, self.parts.config.labeler.overlap)

    def events(self) -> list[tuple[str, str]]:
        with self.parts.store.read() as tx:
            events = tx.results.events(self.parts.project.id, EventsWanted())
        return [(event.kind, event.message) for event in events]


QUEUE = ":adjudication"
Make = Callable[..., World]


def gold_file(folder: Path, rows: int = 6) -> Path:
    numbers = range(60, 60 + rows)
    frame = pd.DataFrame(
        {
            "key": [f"gold-{row:02d}" for row in numbers],
            "x": [row % 3 + 0.31 + row / 1000 for row in numbers],
            "y": [row / 100 for row in numbers],
            "label": [CLASSES[row % 3] for row in numbers],
        }
    )
    frame.to_csv(folder / "gold.csv", index=False)
    return folder / "gold.csv"


@contextmanager
def world_in(folder: Any, more: str, *, gold: int = 0, labeler: type[EmbeddedLabeler]) -> Iterator[World]:
    folder.ready(more=more)
    if gold:
        add_to_pool(
            folder.path / "workbench.toml",
            gold_file(folder.path, gold),
            features=("x", "y"),
            key="key",
            label="label",
            gold=True,
        )
    (folder.path / "data").mkdir(exist_ok=True)
    with (
        labeler(folder.path / "data" / "labeler.db") as opened,
        open_parts(folder.path / "workbench.toml", labeler=opened) as parts,
    ):
        yield World(parts, opened)


@pytest.fixture
def make(folder: Any) -> Iterator[Make]:
    """A project whose configuration goes on like this after [labeler] kind."""
    with ExitStack() as held:
        yield lambda more="", gold=0, labeler=EmbeddedLabeler: held.enter_context(
            world_in(folder, more, gold=gold, labeler=labeler)
        )


DOUBT = "overlap = 2\n[annotators]\nmin_confidence = 0.6\nmax_overlap = 3\n"


def test_an_item_in_doubt_goes_to_one_more_person_and_the_round_waits_for_it(make: Make) -> None:
    world = make(DOUBT)
    first = world.ask()[0].item_key
    world.work("ada")
    world.work("ben", lambda key: wrong(key) if key == first else truth(key))
    told = world.tell()
    assert told.round is not None
    assert (told.round.state, told.progress.answered if told.progress else None) == ("labeling", 5)
    assert [(key, task.overlap) for key, task in world.tasks().items() if task.overlap] == [(first, 3)]
    before = world.events()
    world.tell()
    assert world.events() == before, "telling twice asks once"
    assert (world.work("ada"), world.work("ben"), world.work("cem")) == ([], [], [first])
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    label = world.labels()[first]
    assert (label.value, label.status, round(label.confidence, 2)) == (truth(first), LabelStatus.AGREED, 0.67)
    assert world.spent()[:2] == (6, 13)


@pytest.mark.parametrize(("begun", "later"), [(1, 2), (2, 1)])
def test_another_overlap_takes_effect_with_the_next_round(make: Make, begun: int, later: int) -> None:
    world = make(f"overlap = {begun}\n[annotators]\nmin_confidence = 0.6\n")
    world.ask()
    labeler = world.parts.config.labeler.model_copy(update={"overlap": later})
    parts = replace(world.parts, config=world.parts.config.model_copy(update={"labeler": labeler}))
    people = ["ada", "ben", "cem"]
    for turn, name in enumerate(people[:begun]):
        assert len(world.work(name)) == 6
        told = loop.tell(parts)
        assert told.round is not None
        assert (told.round.state == "closed") == (turn + 1 == begun)
    assert [world.work(name) for name in people] == [[], [], []]
    loop.ask(parts)
    assert sum(len(world.work(name)) > 0 for name in people) == later


def test_further_opinions_are_not_asked_for_once_that_is_switched_off(make: Make) -> None:
    world = make(DOUBT)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    annotators = world.parts.config.annotators.model_copy(update={"min_confidence": 0.0})
    parts = replace(world.parts, config=world.parts.config.model_copy(update={"annotators": annotators}))
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state == "closed"
    assert world.work("cem") == []


def test_a_doubt_that_goes_away_asks_for_nothing_more(make: Make) -> None:
    world = make(DOUBT)
    first = world.ask()[0].item_key
    world.work("ada")
    ben = world.person("ben")
    served = world.serve("ben")
    assert served is not None
    assert served.item_key == first
    answer = ben.annotate(served.task_id, wrong(first), seconds=1.0)
    world.work("ben")
    world.tell()
    ben.edit(answer, truth(first))
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert world.work("cem") == []


def test_no_more_opinions_than_allowed_are_asked_for(make: Make) -> None:
    world = make(DOUBT.replace("max_overlap = 3", "max_overlap = 2"))
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert {label.status for label in world.labels().values()} == {LabelStatus.CONFLICT}


def test_more_opinions_are_asked_for_only_as_far_as_the_budget_goes(make: Make) -> None:
    world = make(DOUBT + "[budget]\nper_annotation = 1\nmax_cost = 13\n")
    picked = [pick.item_key for pick in world.ask()]
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    assert world.work("cem") == picked[:1], "the most wanted item comes first"
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert world.spent().annotations == 13


def test_answers_that_are_there_already_are_not_promised_again(make: Make) -> None:
    world = make("overlap = 2\n[budget]\nper_annotation = 1\nmax_cost = 16\n")
    world.ask()
    assert world.promised() == (6, 12)
    world.work("ada")
    world.tell(close=True)
    assert (world.spent()[:2], world.promised()) == ((6, 6), (0, 6))
    assert len(world.ask(2)) == 2, "12 are spent or promised, 4 are left"


def test_further_opinions_are_not_asked_for_when_the_round_is_over(make: Make) -> None:
    world = make(DOUBT)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    assert world.promised() == (6, 6)
    world.tell(close=True)
    world.tell()
    assert world.promised() == (0, 0)
    assert world.work("cem") == []


def test_what_somebody_declined_is_served_to_nobody_else_when_the_round_is_over(make: Make) -> None:
    world = make(DOUBT + "[budget]\nper_annotation = 1\nmax_cost = 18\n")
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    world.work("cem", lambda _key: None)
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    world.ask(3)
    assert len(world.work("dan")) == 3
    assert world.spent().annotations + world.promised().annotations <= 18


def test_unanswered_tasks_of_a_closed_round_make_room_when_the_budget_needs_it(make: Make) -> None:
    world = make("[budget]\nmax_labels = 8\n")
    left = {pick.item_key for pick in world.ask()}
    ada, project = world.person("ada"), world.project()
    assert project is not None
    for _ in range(2):
        task = ada.next_task(project)
        assert task is not None
        assert task.item_key is not None
        ada.annotate(task.task_id, truth(task.item_key), seconds=1.0)
        left.discard(task.item_key)
    world.tell(close=True)
    assert world.promised() == (4, 4)
    assert len(world.ask(2)) == 2, "they fit beside what is promised"
    world.work("ada", lambda key: None if key in left else truth(key))
    world.tell(close=True)
    assert world.spent().labels == 4


def test_tasks_that_were_taken_back_are_served_to_nobody_and_their_items_are_free(make: Make) -> None:
    world = make("[budget]\nmax_labels = 8\n")
    left = [pick.item_key for pick in world.ask()]
    world.tell(close=True)
    assert len(world.ask(8)) == 8, "nothing is left of the first round's promise"
    assert any(kind == "taken-back" for kind, _ in world.events())
    assert len(world.work("ada")) == 8
    world.tell()
    assert world.spent().labels == 8
    with world.parts.store.read() as tx:
        unavailable = tx.pool.unavailable(world.parts.project.id)
        held_out = {item.key for item in tx.pool.held_out(world.parts.project.id)}
    assert unavailable == held_out | set(world.labels())
    assert not set(left) <= set(world.labels())


GOLD = "[annotators]\ngold_share = 0.5\n"


def test_gold_items_are_mixed_in_and_never_learnt_from_or_counted_as_bought(make: Make) -> None:
    world = make(GOLD, gold=6)
    places = []
    for number in range(3):
        picks = world.ask()
        gold = [pick for pick in picks if pick.reason is Reason.GOLD]
        assert (len(picks), len(gold)) == (9, 3)
        assert [pick.rank for pick in picks] == list(range(9))
        assert all((pick.predicted is None) == (number == 0) for pick in picks)
        places.append([pick.rank for pick in gold])
        assert world.work("ada") == [pick.item_key for pick in picks]
        told = world.tell()
        assert told.progress is not None
        assert (told.progress.answered, told.progress.total) == (6, 6)
    assert len({tuple(ranks) for ranks in places}) > 1
    assert world.spent()[:2] == (18, 27)
    with world.parts.store.read() as tx:
        learnt = {example.key for example in tx.annotations.training_set(world.parts.project.id)}
        used = [gold.used for gold in tx.wanted.gold(world.parts.project.id)]
    assert len(learnt) == 18
    assert not any(key.startswith("gold") for key in learnt)
    assert sorted(used) == [1, 1, 1, 2, 2, 2], "the least used come first"
    assert not any(key.startswith("gold") for key in world.labels())


def test_a_round_is_over_when_its_own_items_are_answered(make: Make) -> None:
    world = make(GOLD, gold=6)
    world.ask()
    for key, task in world.tasks().items():
        if not key.startswith("gold"):
            world.person("ada").annotate(str(task.external_id), truth(key), seconds=1.0)
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert world.promised() == (0, 3), "the gold that is left may still be answered"


def test_gold_annotations_are_paid_for_from_the_same_budget(make: Make) -> None:
    world = make(GOLD + "[budget]\nper_annotation = 1\nmax_cost = 7\n", gold=6)
    picks = world.ask()
    assert [pick.reason is Reason.GOLD for pick in picks].count(True) == 2
    assert len(picks) == 6
    world.work("ada")
    world.tell()
    with pytest.raises(BudgetExhausted):
        world.ask()
    assert world.spent().annotations <= 7


def test_gold_without_a_label_is_refused(folder: Any) -> None:
    folder.ready()
    path = gold_file(folder.path)
    assert folder.type("pool", "add", str(path), "--features", "x,y", "--key", "key", "--gold").code == 1
    words = ["pool", "add", str(path), "--features", "x,y", "--key", "key", "--label", "label", "--gold"]
    added = folder.type(*words, "--json")
    assert (added.json["gold"], added.json["pool"], added.json["test"]) == (6, 0, 0)
    stats = folder.type("pool", "stats", "--json").json
    assert (stats["gold"], stats["items"], stats["chosen"]) == (6, 46, 0)
    assert folder.type(*words, "--test-share", "0.2").code == 2


def test_a_blind_share_is_shown_without_the_models_answer_in_the_same_order(make: Make) -> None:
    world = make("[annotators]\nblind_share = 0.5\n")
    world.ask()
    assert not any(task.blind for task in world.tasks().values()), "there is no answer to hide yet"
    world.work("ada")
    world.tell()
    picks = world.ask()
    blind = {key for key, task in world.tasks().items() if task.blind}
    assert len(blind) == 3
    shown: dict[str, str | None] = {}
    ada = world.person("ada")
    while (task := world.serve("ada")) is not None:
        assert task.item_key is not None
        shown[task.item_key] = task.prediction
        ada.annotate(task.task_id, truth(task.item_key), seconds=1.0)
    assert list(shown) == [pick.item_key for pick in picks]
    assert shown == {p.item_key: None if p.item_key in blind else p.predicted for p in picks}


RULED = "overlap = 2\n[annotators]\nadjudication = true\n"


def test_a_conflict_is_ruled_on_in_a_queue_of_its_own_and_the_ruling_can_be_changed(make: Make) -> None:
    world = make(RULED)
    first = world.ask()[0].item_key
    world.work("ada")
    world.work("ben", lambda key: wrong(key) if key == first else truth(key))
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert world.labels()[first].status is LabelStatus.CONFLICT
    assert (queue_state(world.parts).waiting, world.promised()) == (1, (1, 1))
    served = world.serve("eve", QUEUE)
    assert served is not None
    assert (served.item_key, served.prediction) == (first, None)
    said = sorted([truth(first), wrong(first)], key=CLASSES.index)
    assert served.note == f"Answers so far: 1 x {said[0]}, 1 x {said[1]}"
    eve = world.person("eve")
    ruling = eve.annotate(served.task_id, wrong(first), seconds=1.0)
    world.tell()
    label = world.labels()[first]
    assert (label.value, label.status, label.method) == (wrong(first), LabelStatus.AGREED, "adjudicated")
    assert (queue_state(world.parts).waiting, queue_state(world.parts).ruled) == (0, 1)
    eve.edit(ruling, truth(first))
    world.tell()
    assert world.labels()[first].value == truth(first)
    eve.delete(ruling)
    world.tell()
    assert world.labels()[first].status is LabelStatus.CONFLICT
    assert world.spent().annotations == 13


def test_a_ruling_stands_above_opinions_that_come_later(make: Make) -> None:
    world = make(RULED)
    first = world.ask()[0].item_key
    answers = {}
    ben = world.person("ben")
    world.work("ada")
    while (task := world.serve("ben")) is not None:
        assert task.item_key is not None
        answers[task.item_key] = ben.annotate(task.task_id, wrong(task.item_key), seconds=1.0)
    world.tell()
    assert set(world.work("eve", queue=QUEUE)) == set(answers)
    world.tell()
    ben.edit(answers[first], CLASSES[(int(first[-2:]) + 2) % 3])
    world.tell()
    assert {label.value == truth(key) for key, label in world.labels().items()} == {True}


def test_a_conflict_goes_to_the_queue_once(make: Make) -> None:
    world = make(RULED)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    for _ in range(3):
        world.tell()
    project = world.project(QUEUE)
    assert project is not None
    assert len(world.queued()) == len(list(world.labeler.all_tasks(project))) == 6


class LosesAnswers(EmbeddedLabeler):
    """The answer to the first message into the queue is lost after it was carried out."""

    lost = 0

    def send_tasks(self, project_id: str, tasks: Any) -> Any:
        sent = super().send_tasks(project_id, tasks)
        if tasks and tasks[0].note and not self.lost:
            self.lost += 1
            raise OutcomeUnknown("The answer was lost.")
        return sent


def test_a_lost_answer_doubles_nothing_in_the_queue(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.steps.adjudicate.LOOK_AGAIN_SECONDS", (0.0,))
    world = make(RULED, labeler=LosesAnswers)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    project = world.project(QUEUE)
    assert project is not None
    assert len(list(world.labeler.all_tasks(project))) == 6
    assert {task.state for task in world.queued()} == {TaskState.OPEN}


def test_a_second_copy_in_the_queue_is_removed_and_a_deleted_task_is_noted(make: Make) -> None:
    world = make(RULED)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    project = world.project(QUEUE)
    assert project is not None
    first, second, *_ = world.labeler.all_tasks(project)
    copy = world.labeler.send_tasks(
        project, [_again(first.item_key, first.round_key), _again(first.item_key, first.round_key)]
    )
    world.labeler.delete_tasks(project, [second.task_id])
    world.tell()
    there = {task.task_id for task in world.labeler.all_tasks(project)}
    assert first.task_id in there
    assert not there & {one.task_id for one in copy}
    assert [t.item_key for t in world.queued() if t.state is TaskState.GONE] == [second.item_key]


def _again(item_key: str, round_key: str) -> Any:
    from connectors.labelers.records import OutgoingTask

    return OutgoingTask(item_key=item_key, round_key=round_key, content="again")


def test_rulings_go_on_in_a_new_project_when_somebody_deleted_the_old_one(make: Make) -> None:
    world = make(RULED)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    first = world.project(QUEUE)
    for _ in range(2):
        served = world.serve("eve", QUEUE)
        assert served is not None
        world.person("eve").annotate(served.task_id, truth(str(served.item_key)), seconds=1.0)
    world.tell()
    with closing(sqlite3.connect(world.parts.directory / "labeler.db")) as there, there:
        for table, column in (("tasks", "project"), ("projects", "id")):
            there.execute(f"DELETE FROM {table} WHERE {column} = ?", (first,))
    world.tell()
    world.tell()
    assert (
        "adjudication",
        f"Project {first} is gone at the labeler; 4 rulings are asked for in a new one",
    ) in (world.events())
    assert len(world.work("eve", truth, QUEUE)) == 4
    world.tell()
    assert {label.method for label in world.labels().values()} == {"adjudicated"}


def test_rulings_are_taken_back_and_not_promised_once_they_are_switched_off(make: Make) -> None:
    world = make(RULED + "[budget]\nmax_labels = 6\n")
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    with pytest.raises(BudgetExhausted):
        world.ask()
    on = world.parts
    annotators = on.config.annotators.model_copy(update={"adjudication": False})
    off = replace(on, config=on.config.model_copy(update={"annotators": annotators}))
    for _ in range(2):
        loop.tell(off)
    assert world.serve("eve", QUEUE) is None
    assert world.promised() == (0, 0)
    assert queue_state(off).elsewhere == 6
    loop.tell(on)
    assert world.promised() == (6, 6)
    assert len(world.work("eve", truth, QUEUE)) == 6
    world.tell()
    assert len(world.labels()) == 6


def test_opinions_are_exhausted_before_somebody_rules(make: Make) -> None:
    world = make(DOUBT + "adjudication = true\n")
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    assert world.queued() == []
    world.work("cem", lambda key: CLASSES[(int(key[-2:]) + 2) % 3])
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    assert len(world.queued()) == 6


def test_a_conflict_is_ruled_on_although_somebody_declined_to_say_more(make: Make) -> None:
    world = make(DOUBT + "adjudication = true\n")
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    assert len(world.work("cem", lambda _key: None)) == 6
    told = world.tell()
    assert told.round is not None
    assert told.round.state == "closed"
    world.tell()
    assert len(world.queued()) == 6


def test_rulings_are_bought_only_as_far_as_the_budget_goes(make: Make) -> None:
    world = make(RULED + "[budget]\nper_annotation = 1\nmax_cost = 14\n")
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.tell()
    assert len(world.queued()) == 2
    assert queue_state(world.parts).elsewhere == 4


@pytest.mark.parametrize("name", ["abc", "x" * 37, "x" * 38, "y" * 50])
def test_the_queue_has_a_title_that_every_labeler_takes(name: str) -> None:
    assert queue_title(name).endswith("adjudication")
    assert len(queue_title(name)) <= 50


def test_long_names_that_begin_alike_have_queues_of_their_own() -> None:
    assert queue_title("z" * 49 + "1") != queue_title("z" * 49 + "2")


RELABEL = 'overlap = 2\n[annotators]\nrelabel = "active_lab"\nmax_overlap = 4\n'


def test_labeled_items_get_one_more_opinion_where_that_is_worth_more(make: Make) -> None:
    world = make(RELABEL)
    world.ask(12)
    world.work("ada")
    world.work("ben", half_wrong)
    world.tell()
    before = world.labels()
    picks = world.ask(8)
    again = [pick.item_key for pick in picks if pick.reason is Reason.RELABEL]
    assert 0 < len(again) <= 4, "a round buys new items with half of its batch at least"
    assert len(picks) == 8
    assert set(again) <= set(before)
    assert {world.tasks()[key].overlap for key in again} == {1}
    assert not {p.item_key for p in picks if p.reason is not Reason.RELABEL} & set(before)
    served = world.work("cem")
    assert sorted(served) == sorted(pick.item_key for pick in picks)
    world.work("ada")
    world.tell()
    assert {len(world.labels()[key].annotations) for key in again} == {3}


def half_wrong(key: str) -> str:
    return wrong(key) if int(key[-2:]) % 2 else truth(key)


def test_an_item_with_a_ruling_is_not_labeled_again(make: Make) -> None:
    world = make(RELABEL + "adjudication = true\n")
    world.ask(12)
    world.work("ada")
    world.work("ben", half_wrong)
    world.tell()
    ruled = set(world.work("eve", queue=QUEUE))
    world.tell()
    assert len(ruled) > 3
    may_be = {found.item.key for found in labeled_items(world.parts)}
    assert may_be == set(world.labels()) - ruled


def test_somebodys_second_answer_is_no_second_opinion(make: Make) -> None:
    world = make(RELABEL)
    world.ask(12)
    world.work("ada")
    world.work("ben", half_wrong)
    world.tell()
    again = {pick.item_key for pick in world.ask(8) if pick.reason is Reason.RELABEL}
    assert again
    world.work("ben")
    world.tell(close=True)
    assert {world.labels()[key].status for key in again} == {LabelStatus.AGREED}
    assert {len(world.labels()[key].annotations) for key in again} == {2}


EVERYTHING = (
    "overlap = 2\n[annotators]\nmin_confidence = 0.7\nmax_overlap = 3\nadjudication = true\n"
    'relabel = "active_lab"\ngold_share = 0.25\nblind_share = 0.3\n'
    "[budget]\nper_annotation = 1\nmax_cost = 45\nmax_labels = 17\n"
)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_the_budget_is_never_overrun_with_everything_switched_on(
    new_folder: Callable[[], Any], random: Any
) -> None:
    with world_in(new_folder(), EVERYTHING, gold=4, labeler=EmbeddedLabeler) as world:

        def says(key: str) -> str | None:
            said: str = random.choice([truth(key), truth(key), truth(key), wrong(key)])
            return said

        for _ in range(5):
            try:
                world.ask(random.randint(1, 7))
            except BudgetExhausted:
                break
            for _ in range(random.randint(1, 4)):
                world.work(random.choice(["ada", "ben", "cem"]), says)
                if random.random() < 0.5:
                    world.tell()
                if random.random() < 0.3:
                    world.work("eve", truth, QUEUE)
                spent, promised = world.spent(), world.promised()
                assert spent.labels + promised.labels <= 17
                assert spent.annotations + promised.annotations <= 45
            world.tell(close=True)
        with world.parts.store.read() as tx:
            keys = {e.key for e in tx.annotations.training_set(world.parts.project.id)}
            items = tx.pool.by_key(world.parts.project.id, keys)
        assert {item.split for item in items.values()} <= {Split.POOL}


def test_the_command_line_says_how_many_items_wait_for_one_more_person(folder: Any) -> None:
    folder.ready(more=DOUBT)
    folder.type("round", "ask")
    folder.label_all(folder.person("ada"))
    assert "one more person" not in folder.type("round", "tell").err
    ben = folder.person("ben")
    while (task := ben.next_task("1")) is not None:
        ben.annotate(task.task_id, wrong(str(task.item_key)), seconds=1.0)
    told = folder.type("round", "tell").err
    assert "6 of the others are in doubt and wait for one more person each." in told


def test_the_command_line_says_how_many_rulings_are_waited_for(folder: Any) -> None:
    folder.ready(more=RULED)
    folder.type("round", "ask")
    folder.label_all(folder.person("ada"))
    project, ben = "1", folder.person("ben")
    while (task := ben.next_task(project)) is not None:
        ben.annotate(task.task_id, wrong(str(task.item_key)), seconds=1.0)
    told = folder.type("round", "tell")
    assert "6 items wait for a ruling; 0 were ruled on." in told.err
    queue = folder.type("adjudicate", "--json").json
    assert queue == {"waiting": 6, "ruled": 0, "elsewhere": 0, "url": None}
    folder.write((folder.path / "workbench.toml").read_text().replace("adjudication = true", ""))
    assert "adjudication = true" in folder.type("adjudicate").err


class Killed(BaseException):
    """The process ends here."""


class Killing(EmbeddedLabeler):
    """The process is killed right before or right after a call that changes something for the policies."""

    when = ("", "")

    def _at(self, moment: str, call: str) -> None:
        if self.when == (moment, call):
            self.when = ("", "")
            raise Killed

    def set_overlap(self, project_id: str, overlaps: Any) -> None:
        self._at("before", "set_overlap")
        super().set_overlap(project_id, overlaps)
        self._at("after", "set_overlap")

    def open_project(self, spec: Any) -> Any:
        call = "open_queue" if spec.notes else "open_project"
        self._at("before", call)
        found = super().open_project(spec)
        self._at("after", call)
        return found

    def send_tasks(self, project_id: str, tasks: Any) -> Any:
        call = "send_rulings" if tasks and tasks[0].note else "send_tasks"
        self._at("before", call)
        sent = super().send_tasks(project_id, tasks)
        self._at("after", call)
        return sent


@pytest.mark.parametrize("call", ["set_overlap", "open_queue", "send_rulings"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_place_the_policies_end_as_if_undisturbed(make: Make, moment: str, call: str) -> None:
    world = make(DOUBT + "adjudication = true\n", labeler=Killing)
    assert isinstance(world.labeler, Killing)
    world.ask()
    world.work("ada")
    world.work("ben", wrong)
    world.labeler.when = (moment, call)
    killed = 0
    for name in ("ada", "ben", "cem", "ada"):
        try:
            world.tell()
        except Killed:
            killed += 1
            world.tell()
        world.work(name, lambda key: CLASSES[(int(key[-2:]) + 2) % 3])
    assert killed == 1
    project = world.project(QUEUE)
    assert project is not None
    assert len(list(world.labeler.all_tasks(project))) == len(world.queued()) == 6
    assert {task.state for task in world.queued()} == {TaskState.OPEN}
    assert (world.spent().annotations, world.promised()) == (18, (6, 6))
    assert sorted(world.work("eve", queue=QUEUE)) == sorted(world.labels())
    world.tell()
    assert {(label.method, label.value == truth(key)) for key, label in world.labels().items()} == {
        ("adjudicated", True)
    }
