"""Panels about annotators and labels: from packed columns the same as from every annotation one by one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from tests.fixtures.answer_by_answer import (
    Suggestion,
    anchoring,
    answers,
    krippendorff_alpha,
    pairwise_kappa,
    qualities,
    typical_seconds,
)
from workbench.domain.annotators import votes as votes_on
from workbench.domain.consensus import current, majority
from workbench.domain.records import Annotation, NewItem, Project, Reason, Selection, Split, TaskKind
from workbench.domain.rounds import RoundState
from workbench.reports.panel import Tone, View
from workbench.reports.panels.annotators import Annotators
from workbench.reports.panels.integrity import Integrity
from workbench.reports.panels.label_quality import LabelQuality
from workbench.storage import tables as t
from workbench.storage.annotations import Revision
from workbench.storage.store import Store

START = datetime(2026, 5, 1, tzinfo=UTC)
CLASSES = ("yes", "no", "maybe, or \x1f not")
PEOPLE = {"ada": 0.05, "ben": 0.1, "zoë \x1f": 0.6}
ITEMS = 60


@pytest.fixture
def project(store: Store) -> Project:
    """Three people, one of them careless, with repeated answers, skips, edits, deletions and gold items."""
    with store.begin() as tx:
        made = tx.projects.ensure("a project", kind=TaskKind.TEXT, classes=CLASSES, seed=1)
        shard = tx.pool.add_shard(made.id, uri="x", rows=99, sha256="0", source="x").id
        keys = [f"item-{number:02d}" for number in range(ITEMS)]
        tx.pool.touch(
            made.id,
            [
                NewItem(
                    key=key,
                    split=Split.GOLD if number < 10 else Split.POOL,
                    payload={},
                    sha256=key,
                    shard_id=shard,
                    row=number,
                    known_label=CLASSES[number % 3] if number < 10 else None,
                )
                for number, key in enumerate(keys)
            ],
        )
        ids = {key: found.id for key, found in tx.pool.by_key(made.id, keys).items()}
        planned = tx.rounds.plan(made.id, batch_size=ITEMS, seed=1, config={})
        picks = [
            Selection(
                item_key=key, rank=n, reason=Reason.UNCERTAIN, predicted=CLASSES[0], confidence=n / ITEMS
            )
            for n, key in enumerate(keys)
        ]
        tx.tasks.choose(planned.id, "labeler", picks, ids, blind=keys[::4])
        held = tx.rounds.take(planned.id, "somebody", 60, is_gone=lambda _: True)
        for state in (RoundState.SCORED, RoundState.SELECTED):
            held = tx.rounds.move(held, state)
        tasks = tx.tasks.of_round(planned.id)
        tx.annotations.add(made.id, "labeler", list(_given(tasks)))
        tx.annotations.add(made.id, "labeler:adjudication", [_ruling(tasks[20])])
        _settle(tx, [task.item_id for task in tasks[10:]])
    return made


def _given(tasks: Any) -> Iterator[Annotation]:
    chance = Random(3)
    for place, task in enumerate(tasks):
        for person, wrong in PEOPLE.items():
            for again in range(2 if chance.random() < 0.1 else 1):
                at = START + timedelta(hours=place, seconds=chance.randrange(3000), microseconds=again)
                truth = CLASSES[int(task.item_key[-2:]) % 3]
                label = chance.choice(CLASSES) if chance.random() < wrong else truth
                skipped = chance.random() < 0.1
                given = Annotation(
                    external_id=f"{task.id}-{person}-{again}",
                    task_id=task.id,
                    item_id=task.item_id,
                    annotator=person,
                    label=None if skipped else label,
                    skipped=skipped,
                    problem="empty" if label == CLASSES[2] and chance.random() < 0.1 else None,
                    seconds=chance.choice([None, 1.5, chance.uniform(0, 900)]),
                    created_at=at,
                    updated_at=at,
                )
                yield given
                if chance.random() < 0.1:
                    yield _changed(given, deleted=chance.random() < 0.5)


def _changed(given: Annotation, *, deleted: bool) -> Annotation:
    return replace(given, deleted=deleted, updated_at=given.updated_at + timedelta(hours=1), seconds=3.25)


def _ruling(task: Any) -> Annotation:
    facts = {"external_id": "ruling", "task_id": task.id, "item_id": task.item_id, "annotator": "judge"}
    return Annotation(**facts, label=CLASSES[1], created_at=START, updated_at=START, adjudicates=True)


def _settle(tx: Any, items: list[int]) -> None:
    for item_id, versions in tx.annotations.brief_of_items(items).items():
        found = majority([one for one in current(versions) if not one.adjudicates])
        tx.annotations.revise_all([Revision(item_id, 1, found)], method="majority")


def _tables(store: Store, project: Project, panel: Any) -> dict[str, list[Any]]:
    with store.read() as tx:
        reading = panel.read(tx.facts(project), View())
    return {table.name: list(table.rows) for table in reading.tables}


def _annotations(store: Store, project: Project) -> tuple[list[Annotation], dict[int, str]]:
    with store.read() as tx:
        facts = tx.facts(project)
        return facts.answers.all(), facts.answers.gold()


def test_people_are_measured_as_answer_by_answer(store: Store, project: Project) -> None:
    found, (given, known) = _tables(store, project, Annotators()), _annotations(store, project)
    for row, expected in zip(found["annotator_quality"], qualities(given, known), strict=True):
        assert (row.annotator, row.judged, row.gold) == (
            expected.annotator,
            expected.agreement.n,
            expected.gold.n,
        )
        assert row.right == pytest.approx(expected.agreement.value)
        assert row.gold_right == pytest.approx(expected.gold.value)
        assert row.drift == pytest.approx(expected.drift)
        assert (row.drift_low, row.drift_high) == pytest.approx(expected.drift_interval)
    alpha, *kappas = found["agreement"]
    assert (alpha.value, alpha.low, alpha.high, alpha.n) == pytest.approx(krippendorff_alpha(answers(given)))
    for row, pair in zip(kappas, pairwise_kappa(answers(given)), strict=True):
        assert (row.first, row.second) == (pair.first, pair.second)
        assert (row.value, row.low, row.high, row.n) == pytest.approx(pair.kappa)


def test_work_is_counted_as_answer_by_answer(store: Store, project: Project) -> None:
    found, (given, _) = _tables(store, project, Annotators()), _annotations(store, project)
    assert [row.annotator for row in found["annotators"]] == sorted([*PEOPLE, "judge"])
    for row in found["annotators"]:
        mine = [one for one in given if one.annotator == row.annotator]
        present = current(mine)
        typical = typical_seconds(present)
        worked = [one.seconds for one in present if one.seconds is not None and not one.skipped]
        assert (row.annotations, row.deleted) == (len(present), len(mine) - len(present))
        assert row.skipped == sum(one.skipped for one in present)
        assert row.invalid == sum(one.problem is not None for one in present)
        assert row.seconds == pytest.approx(sum(one.seconds or 0.0 for one in mine), abs=0.01)
        assert (row.median_seconds, row.mean_seconds) == pytest.approx(typical)
        assert row.active_seconds == pytest.approx(sum(min(x, 300.0) for x in worked), abs=0.01)
        assert (row.first_seen, row.last_seen) == (
            min(one.created_at for one in mine),
            max(one.created_at for one in mine),
        )


def test_what_showing_the_answer_does_is_counted_as_task_by_task(store: Store, project: Project) -> None:
    (row,) = _tables(store, project, Annotators())["anchoring"]
    given, _ = _annotations(store, project)
    with store.engine.connect() as connection:
        rows = connection.execute(
            sa.select(t.task.c.id, t.task.c.blind, t.selection.c.predicted).where(
                t.selection.c.round_id == t.task.c.round_id, t.selection.c.item_id == t.task.c.item_id
            )
        )
        shown = {row.id: row for row in rows}
    expected = anchoring(
        Suggestion(shown[vote.task_id].blind, shown[vote.task_id].predicted, str(vote.label))
        for cast in votes_on(given).values()
        for vote in cast
    )
    assert (row.shown_answers, row.blind_answers) == (expected.shown.n, expected.blind.n)
    assert row.difference == pytest.approx(expected.difference)


def test_the_careless_one_is_named(store: Store, project: Project) -> None:
    with store.read() as tx:
        findings = Annotators().read(tx.facts(project), View()).findings
    assert findings[0].tone is Tone.WARNING
    assert "disagrees most with the others" in findings[0].words
    assert findings[0].words.startswith("zoë")


def test_labels_are_counted(store: Store, project: Project) -> None:
    found = _tables(store, project, LabelQuality())
    (method,) = found["label_quality"]
    with store.read() as tx:
        labels = tx.facts(project).labels.all()
    agreed = [label for label in labels if label.status == "agreed"]
    assert (method.method, method.agreed, method.conflicts) == (
        "majority",
        len(agreed),
        sum(label.status == "conflict" for label in labels),
    )
    assert method.confidence == pytest.approx(sum(x.confidence for x in agreed) / len(agreed))
    assert method.answers == pytest.approx(sum(len(x.annotations) for x in agreed) / len(agreed))
    assert sum(row.labels for row in found["label_quality_confidence"]) == len(agreed)
    doubts = [row.doubt for row in found["second_look"]]
    assert doubts == sorted(doubts, reverse=True)
    assert sum(row.n for row in found["label_quality_difficulty"]) > 0


def test_what_is_out_of_order_is_said(store: Store, project: Project) -> None:
    with store.begin() as tx:
        shard = tx.pool.shards(project.id)[0].id
        leak = NewItem(key="copy", split=Split.TEST, payload={}, sha256="item-20", shard_id=shard, row=80)
        tx.pool.touch(project.id, [leak])
        tx.evidence.keep_diagnostic(
            project.id, "reconcile", {"difference": 3, "tasks_here": 60, "tasks_there": 57, "round": None}
        )
    with store.read() as tx:
        reading = Integrity().read(tx.facts(project), View())
    states = {row.check: (row.found, row.state) for row in reading.tables[0].rows}
    assert states["held-out or gold items with an exact copy in the pool"] == (1, "not in order")
    assert states["difference between database and labeler"] == (3, "not in order")
    assert states["held-out items that were chosen or labeled"] == (0, "in order")
    assert reading.findings[0].tone is Tone.BAD


def test_an_empty_project_has_no_numbers_and_says_what_to_type(store: Store) -> None:
    with store.begin() as tx:
        empty = tx.projects.ensure("empty", kind=TaskKind.TEXT, classes=("a",), seed=1)
    with store.read() as tx:
        facts = tx.facts(empty)
        for panel in (Annotators(), LabelQuality()):
            reading = panel.read(facts, View())
            assert "`workbench round" in reading.findings[0].words
            assert not reading.charts
        assert "Type `workbench reconcile`." in Integrity().read(facts, View()).findings[1].words
