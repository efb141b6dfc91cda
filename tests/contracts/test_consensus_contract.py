"""What every consensus promises; a new one is one more word in ``METHODS``."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from workbench.domain.records import (
    Annotation,
    Label,
    LabelStatus,
    NewItem,
    Reason,
    Selection,
    Split,
    TaskKind,
)
from workbench.learning import crowd as crowd_kit
from workbench.learning.crowd import METHODS as MODELS
from workbench.steps.consensus import decide, reconsider
from workbench.steps.parts import Parts
from workbench.storage.store import Store, open_store

METHODS = ("majority", *MODELS)
START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = {"ada": 0.95, "ben": 0.9, "eve": 0.9, "bad": 0.3}
QUEUE = "labeler:adjudication"


@pytest.fixture(autouse=True)
def _few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws hold after any number of them."""
    monkeypatch.setattr(crowd_kit, "MACE_ITERATIONS", 10)
    monkeypatch.setattr(crowd_kit, "DAWID_SKENE_ITERATIONS", 10)


each_method = pytest.mark.parametrize("method", METHODS)


def said(item: int, who: str, label: str | None, *, minute: int = 0, **more: Any) -> Annotation:
    return Annotation(
        external_id=f"{item}-{who}",
        task_id=more.pop("task", item),
        item_id=item,
        annotator=who,
        label=label,
        created_at=START,
        updated_at=START + timedelta(minutes=minute),
        **more,
    )


def crowd(items: int = 60, each: int = 2, first: int = 1) -> list[Annotation]:
    chance = random.Random(7)
    found = []
    for item in range(first, first + items):
        truth = chance.choice("abc")
        for name in chance.sample(sorted(PEOPLE), each):
            wrong = chance.choice([c for c in "abc" if c != truth])
            found.append(said(item, name, truth if chance.random() < PEOPLE[name] else wrong))
    return found


@each_method
def test_what_everybody_says_is_the_label(method: str) -> None:
    annotations = crowd()
    said_of: dict[int, set[str | None]] = {}
    for annotation in annotations:
        said_of.setdefault(annotation.item_id, set()).add(annotation.label)
    for item, verdict in decide(method, annotations, {}).items():
        if len(said_of[item]) == 1:
            assert {verdict.consensus.value} == said_of[item]
            assert verdict.consensus.status is LabelStatus.AGREED


@each_method
def test_a_label_is_an_answer_that_somebody_gave_and_a_conflict_is_none(method: str) -> None:
    annotations = crowd()
    given = {(a.item_id, a.label) for a in annotations}
    statuses = set()
    for item, (consensus, _) in decide(method, annotations, {}).items():
        statuses.add(consensus.status)
        assert 0 <= consensus.confidence <= 1
        agreed = consensus.status is LabelStatus.AGREED
        assert ((item, consensus.value) in given) if agreed else consensus.value is None
    assert LabelStatus.AGREED in statuses


@each_method
def test_two_strangers_who_disagree_have_a_conflict(method: str) -> None:
    verdicts = decide(method, [said(1, "ada", "a"), said(1, "ben", "b")], {})
    assert verdicts[1].consensus[:2] == (None, LabelStatus.CONFLICT)


@each_method
def test_without_a_usable_answer_a_label_is_withdrawn(method: str) -> None:
    unusable = [
        said(901, "ada", None, skipped=True),
        said(902, "ada", None, problem="empty"),
        said(903, "ada", "a"),
        said(903, "ada", "a", minute=1, deleted=True),
    ]
    verdicts = decide(method, [*crowd(), *unusable], {})
    for item in (901, 902, 903):
        assert verdicts[item].consensus == (None, LabelStatus.WITHDRAWN, 0.0, ())


@each_method
def test_the_order_of_arrival_does_not_matter(method: str) -> None:
    annotations = [*crowd(), said(5, "ada", "c", minute=3), said(6, "ben", None, minute=3, deleted=True)]
    shuffled = random.Random(2).sample(annotations, len(annotations))
    assert decide(method, shuffled, {}) == decide(method, annotations, {})


@each_method
def test_what_can_not_vote_moves_nobody(method: str) -> None:
    annotations = crowd()
    more = [said(1, "joe", "c", problem="several-labels"), said(2, "joe", "c", skipped=True)]
    assert decide(method, [*annotations, *more], {}) == decide(method, annotations, {})


@each_method
def test_a_ruling_stands_above_every_opinion(method: str) -> None:
    annotations = [*crowd(), said(1, "boss", "c", adjudicates=True)]
    verdict = decide(method, annotations, {})[1]
    assert verdict.method == "adjudicated"
    assert verdict.consensus == ("c", LabelStatus.AGREED, 1.0, ("1-boss",))


@each_method
def test_gold_items_are_no_question(method: str) -> None:
    assert decide(method, crowd(), {1: "a", 2: "b"}).keys() == set(range(3, 61))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    opened.upgrade()
    yield opened
    opened.close()


class Place:
    """A project whose annotations lie in the database, with a label each by majority, as a pull leaves it."""

    def __init__(
        self, store: Store, annotations: list[Annotation], gold: dict[int, str] | None = None
    ) -> None:
        self.store = store
        items = sorted({a.item_id for a in annotations})
        keys = [f"item-{item:03}" for item in items]
        with store.begin() as tx:
            self.project = tx.projects.ensure("crowd", kind=TaskKind.TEXT, classes=("a", "b", "c"), seed=1)
            shard = tx.pool.add_shard(self.project.id, uri="x", rows=9, sha256="f" * 64, source="here")
            known = gold or {}
            new = [
                NewItem(
                    key=key,
                    split=Split.GOLD if item in known else Split.POOL,
                    payload={},
                    sha256=key,
                    shard_id=shard.id,
                    row=item,
                    known_label=known.get(item),
                )
                for key, item in zip(keys, items, strict=True)
            ]
            tx.pool.touch(self.project.id, new)
            ids = {key: item.id for key, item in tx.pool.by_key(self.project.id, keys).items()}
            planned = tx.rounds.plan(self.project.id, batch_size=9, seed=9, config={})
            picks = [Selection(item_key=key, rank=n, reason=Reason.UNCERTAIN) for n, key in enumerate(keys)]
            tx.tasks.choose(planned.id, "labeler", picks, ids)
            self.tasks = {task.item_id: task.id for task in tx.tasks.of_round(planned.id)}
        assert list(ids.values()) == items
        self.keep(annotations)
        self.consolidate()

    def keep(self, annotations: list[Annotation]) -> None:
        with self.store.begin() as tx:
            for queue, name in ((False, "labeler"), (True, QUEUE)):
                own = [
                    replace(a, task_id=self.tasks[a.item_id]) for a in annotations if a.adjudicates is queue
                ]
                tx.annotations.add(self.project.id, name, own)

    def consolidate(self) -> None:
        with self.store.begin() as tx:
            found = tx.crowd.all(self.project.id)
            known = tx.crowd.known_labels(self.project.id)
            labels = tx.annotations.label_of(self.tasks)
            for item, verdict in decide("majority", found, known).items():
                number = labels[item].revision + 1 if item in labels else 1
                if item not in labels or labels[item].value != verdict.consensus.value:
                    tx.annotations.revise(item, number, verdict.consensus, method=verdict.method)

    def parts(self, method: str) -> Parts:
        config = SimpleNamespace(annotators=SimpleNamespace(consensus=method))
        return cast("Parts", SimpleNamespace(store=self.store, project=self.project, config=config))

    def labels(self) -> list[Label]:
        with self.store.read() as tx:
            return tx.annotations.labels(self.project.id)


@each_method
def test_reconsidered_twice_nothing_changes_the_second_time(method: str, store: Store) -> None:
    place = Place(store, crowd())
    written = reconsider(place.parts(method))
    assert (written > 0) == (method != "majority")
    before = place.labels()
    assert {label.method for label in before} == {method}
    assert reconsider(place.parts(method)) == 0
    assert place.labels() == before


@each_method
def test_labels_depend_on_annotations_and_not_on_how_they_came(method: str, store: Store) -> None:
    annotations = crowd()
    place = Place(store, annotations[::2])
    reconsider(place.parts(method))
    place.keep(annotations)
    place.consolidate()
    reconsider(place.parts(method))
    decided = decide(method, annotations, {})
    found = {label.item_id: (label.value, label.status, label.confidence) for label in place.labels()}
    assert found == {item: verdict.consensus[:3] for item, verdict in decided.items()}


@each_method
def test_a_pull_after_which_the_process_was_killed_is_made_up_for(method: str, store: Store) -> None:
    """The pull has left an item's majority; nothing else says that somebody was to reconsider."""
    place = Place(store, crowd())
    reconsider(place.parts(method))
    place.keep([said(3, "zoe", "c", minute=9), said(3, "joe", "c", minute=9), said(3, "kim", "c", minute=9)])
    with store.begin() as tx:
        label = tx.annotations.label_of([3])[3]
        verdict = decide("majority", tx.crowd.all(place.project.id), {})[3]
        tx.annotations.revise(3, label.revision + 1, verdict.consensus, method="majority")
    assert (reconsider(place.parts(method), changed=False) > 0) == (method != "majority")
    assert {label.method for label in place.labels()} == {method}


def test_another_method_in_the_configuration_reconsiders_every_label_and_back_again(store: Store) -> None:
    place = Place(store, crowd())
    before = [(label.item_id, label.value, label.confidence) for label in place.labels()]
    reconsider(place.parts("dawid_skene"), changed=False)
    assert {label.method for label in place.labels()} == {"dawid_skene"}
    reconsider(place.parts("majority"), changed=False)
    assert [(label.item_id, label.value, label.confidence) for label in place.labels()] == before


def test_gold_items_get_no_label_and_rulings_stay(store: Store) -> None:
    ruling = said(2, "boss", "c", adjudicates=True)
    place = Place(store, [*crowd(), ruling], gold={1: "a"})
    reconsider(place.parts("dawid_skene"))
    labels = {label.item_id: label for label in place.labels()}
    assert 1 not in labels
    assert (labels[2].value, labels[2].method) == ("c", "adjudicated")
    assert {label.method for label in labels.values()} == {"dawid_skene", "adjudicated"}


def test_a_label_that_changed_meanwhile_is_left_to_whoever_changed_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(store, crowd())

    def meddle(*arguments: Any) -> Any:
        with store.begin() as tx:
            label = tx.annotations.label_of([4])[4]
            consensus = decide("majority", [said(4, "kim", "b")], {})[4].consensus
            tx.annotations.revise(4, label.revision + 1, consensus, method="majority")
        return decide(*arguments)

    monkeypatch.setattr("workbench.steps.consensus.decide", meddle)
    reconsider(place.parts("dawid_skene"))
    assert next(label for label in place.labels() if label.item_id == 4).annotations == ("4-kim",)
