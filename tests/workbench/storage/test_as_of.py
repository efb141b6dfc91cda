"""What is known as of a moment is what was read at that moment, whatever is written afterwards."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.domain.consensus import Consensus, current, majority
from workbench.domain.records import (
    Annotation,
    NewItem,
    Reason,
    Selection,
    Split,
    TaskKind,
    TaskState,
)
from workbench.domain.rounds import Round, RoundState
from workbench.reports.reading import read_report
from workbench.storage.annotations import Revision
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, Transaction
from workbench.storage.tables import metadata

START = datetime(2026, 5, 1, tzinfo=UTC)
PANELS = ("annotators", "label_quality", "integrity")
PEOPLE, LABELS, ITEMS = ("ada", "ben"), ("yes", "no"), 4
#: What may happen: an act, and numbers that it makes of what it needs.
ACTS = ("answer", "answer", "answer", "move", "settle", "remove", "terms", "task")
acts = st.tuples(st.sampled_from(ACTS), st.integers(0, 999))
EXAMPLES = int(os.environ.get("AS_OF_EXAMPLES", "0"))


class World:
    """A project whose database is written to by a clock that the test moves."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        store._clock = lambda: self.now
        with store.begin() as tx:
            self.project = tx.projects.ensure("a project", kind=TaskKind.TEXT, classes=LABELS, seed=1)
            shard = tx.pool.add_shard(self.project.id, uri="x", rows=9, sha256="0", source="x")
        self.shard = shard.id
        self.answers: dict[str, Annotation] = {}
        self.held: Round | None = None

    def happen(self, what: str, number: int) -> None:
        """Do one thing, a microsecond or some hours after the last."""
        self.now += timedelta(microseconds=1 + number % 7 * number**3)
        with self.store.begin() as tx:
            if self.held is None or self.held.finished:
                self._begin(tx, number)
            else:
                getattr(self, f"_{what}")(tx, number)

    def read(self, at: datetime | None = None) -> str:
        """Everything that is known, as text."""
        report = read_report(self.store, self.project, panels=PANELS, at=at)
        with self.store.read() as tx:
            facts = tx.facts(self.project, at)
            known: list[Any] = [
                facts.rounds.all(),
                {
                    number: dict(sorted(found.items()))
                    for number, found in sorted(facts.rounds.tasks_by_state.items())
                },
                facts.answers.all(),
                facts.labels.all(),
                facts.terms.now(),
                facts.trail.events(Wanted()),
            ]
        return f"{known!r}\n{report!r}"

    def _begin(self, tx: Transaction, number: int) -> None:
        planned = tx.rounds.plan(self.project.id, batch_size=ITEMS, seed=number, config={})
        self.held = tx.rounds.take(planned.id, "somebody", 60, is_gone=lambda _: True)

    def _move(self, tx: Transaction, number: int) -> None:
        held = self._mine(tx)
        if held.state is RoundState.FAILED:
            self.held = tx.rounds.recover(held)
        elif number % 5 == 0:
            tx.rounds.fail(held, f"error {number}")
            self.held = tx.rounds.get(held.id)
        else:
            self._on(tx, held)

    def _on(self, tx: Transaction, held: Round) -> None:
        order = list(RoundState)
        target = order[order.index(held.state) + 1]
        if target is RoundState.SELECTED:
            self._choose(tx, held)
        self.held = tx.rounds.move(held, target)

    def _choose(self, tx: Transaction, held: Round) -> None:
        keys = [f"item-{(held.number * 2 + place) % 9}" for place in range(ITEMS)]
        news = [
            NewItem(key=key, split=Split.POOL, payload={}, sha256=key, shard_id=self.shard, row=0)
            for key in keys
        ]
        tx.pool.touch(self.project.id, news)
        ids = {key: found.id for key, found in tx.pool.by_key(self.project.id, keys).items()}
        picks = [
            Selection(
                item_key=key, rank=rank, reason=Reason.UNCERTAIN, predicted="yes", confidence=rank / ITEMS
            )
            for rank, key in enumerate(keys)
        ]
        tx.tasks.choose(held.id, "labeler", picks, ids, blind=keys[:1])

    def _answer(self, tx: Transaction, number: int) -> None:
        """A new answer, another version of one, one that comes late, or a deletion."""
        tasks = tx.tasks.of_round(self._mine(tx).id)
        if not tasks:
            return
        task = tasks[number % len(tasks)]
        name = PEOPLE[number // 7 % 2]
        key = f"{task.id}-{name}"
        before = self.answers.get(key)
        at = START + timedelta(seconds=number)
        given = Annotation(
            external_id=key,
            task_id=task.id,
            item_id=task.item_id,
            annotator=name,
            label=LABELS[number // 3 % 2] if number % 11 else None,
            skipped=number % 11 == 0,
            seconds=number / 10,
            created_at=before.created_at if before else at,
            updated_at=at,
        )
        if before is not None and number % 6 == 0:
            given = replace(before, deleted=True)
        self.answers[key] = given
        tx.annotations.add(self.project.id, "labeler", [given])

    def _settle(self, tx: Transaction, number: int) -> None:
        tasks = tx.tasks.of_round(self._mine(tx).id)
        given = tx.annotations.brief_of_items(task.item_id for task in tasks)
        labels = tx.annotations.label_of(given)
        for item_id, versions in given.items():
            found: Consensus = majority(current(versions))
            before = labels.get(item_id)
            if before is None or (before.value, before.status) != (found.value, found.status):
                revision = Revision(item_id, 1 + (before.revision if before else 0), found)
                tx.annotations.revise_all([revision], method="majority")

    def _remove(self, tx: Transaction, number: int) -> None:
        if number % 3 == 0:
            tx.pool.remove(self.project.id, [self._new(f"item-{number % 9}")])

    def _new(self, key: str) -> NewItem:
        return NewItem(key=key, split=Split.POOL, payload={}, sha256=key, shard_id=self.shard, row=0)

    def _terms(self, tx: Transaction, number: int) -> None:
        tx.terms.change(self.project.id, {"max_labels": number})

    def _task(self, tx: Transaction, number: int) -> None:
        tasks = tx.tasks.of_round(self._mine(tx).id)
        if tasks:
            states = list(TaskState)
            tx.tasks.set_states({tasks[number % len(tasks)].id: states[number % len(states)]})

    def _mine(self, tx: Transaction) -> Round:
        assert self.held is not None
        return tx.rounds.get(self.held.id)


def _empty(store: Store) -> None:
    with store.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))


@settings(
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.lists(acts, min_size=8, max_size=20))
def test_what_was_read_then_is_read_again(store: Store, story: list[tuple[str, int]]) -> None:
    _empty(store)
    world = World(store)
    read: list[tuple[datetime, str]] = []
    for _ in range(4):
        world.happen("move", 1)
    for what, number in story:
        world.happen(what, number)
        read.append((world.now, world.read()))
    for at, text in read:
        assert world.read(at) == text
