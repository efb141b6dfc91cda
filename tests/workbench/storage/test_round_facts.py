"""Rounds, tasks, labels and sources as of any moment: held against plain Python over all rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.records import Reason, Split
from workbench.domain.rounds import RoundState
from workbench.storage import tables as t
from workbench.storage.facts.facts import Facts
from workbench.storage.store import Store, Transaction

MADE = MadeUp(foreseen=0, rounds=3, batch=12, pool=400, test_items=30, open_round=True)
#: Before everything, in the middle of a round, between two, while the last is open, and now.
MOMENTS = [timedelta(days=days) for days in (-1, 0.03, 0.9, 1.3, 2.0001, 3.1, 400)]


@pytest.fixture
def made(store: Store) -> Store:
    MadeUp(name="another", rounds=1, batch=5, pool=50, test_items=5).write(store)
    MADE.write(store)
    return store


def _facts(tx: Transaction, after: timedelta) -> Facts:
    project = tx.projects.get(MADE.name)
    assert project is not None
    return tx.facts(project, START + after)


def _all(made: Store, table: sa.Table) -> Sequence[Any]:
    with made.engine.connect() as connection:
        return connection.execute(sa.select(table).order_by(table.c.id)).all()


def _ours(made: Store, tx: Transaction) -> set[int]:
    project = tx.projects.get(MADE.name)
    assert project is not None
    return {row.id for row in _all(made, t.round_) if row.project_id == project.id}


def test_tasks_stand_where_their_last_move_had_brought_them(made: Store) -> None:
    with made.read() as tx:
        ours = _ours(made, tx)
        tasks = {row.id: row.round_id for row in _all(made, t.task) if row.round_id in ours}
        moves = [row for row in _all(made, t.task_move) if row.task_id in tasks]
        for after in MOMENTS:
            last = {row.task_id: row.state for row in moves if row.at <= START + after}
            expected = Counter((tasks[task], state) for task, state in last.items())
            found = _facts(tx, after).rounds.tasks_by_state
            assert {(r, str(s)): n for r, states in found.items() for s, n in states.items()} == expected


def test_a_page_of_a_round_counts_tasks_as_the_list_of_rounds_does(made: Store) -> None:
    with made.engine.begin() as connection:
        # As an upgrade leaves it: nothing is known of how old tasks moved.
        second = sa.select(sa.func.max(t.round_.c.id) - 1).scalar_subquery()
        old = sa.select(t.task.c.id).where(t.task.c.round_id == second)
        connection.execute(t.task_move.delete().where(t.task_move.c.task_id.in_(old)))
    with made.read() as tx:
        for after in MOMENTS:
            facts = _facts(tx, after)
            listed = facts.rounds.tasks_by_state
            for one in facts.rounds.all():
                assert facts.visits.states(one.id) == listed.get(one.id, {})
                picks = facts.visits.picks(one.id, offset=0, limit=99)
                assert len(picks) == facts.visits.count(one.id) == (12 if one.has_chosen else 0)
                found = Counter(pick.task for pick in picks if pick.task)
                assert found == (listed.get(one.id, {}) if one.has_chosen else {})


def test_an_item_that_is_taken_out_later_is_shown_in_its_split(made: Store) -> None:
    with made.engine.begin() as connection:
        taken = {"split": str(Split.REMOVED), "removed_from": str(Split.POOL)}
        values = {**taken, "removed_at": START + timedelta(days=2)}
        connection.execute(t.item.update().where(t.item.c.split == str(Split.POOL)).values(**values))
    with made.read() as tx:
        picked = _facts(tx, timedelta(days=1)).visits
        project = tx.projects.get(MADE.name)
        assert project is not None
        key = next(row.key for row in _all(made, t.item) if row.project_id == project.id and row.removed_at)
        assert picked.items([key])[key].split is Split.POOL
        assert _facts(tx, timedelta(days=3)).visits.items([key])[key].split is Split.REMOVED
        assert _facts(tx, timedelta(days=-1)).visits.item(key) is None


def test_a_round_shows_no_batch_before_it_has_chosen_one(made: Store) -> None:
    with made.read() as tx:
        before = _facts(tx, timedelta(minutes=1)).rounds.all()
        after = _facts(tx, timedelta(days=0.9)).rounds.all()
    assert [(one.state, one.has_chosen, one.pool_size) for one in before] == [
        (RoundState.PLANNED, False, None)
    ]
    assert [(one.state, one.has_chosen, one.pool_size) for one in after] == [(RoundState.CLOSED, True, 400)]


def test_reasons_and_means_are_those_of_the_picks(made: Store) -> None:
    with made.read() as tx:
        facts = _facts(tx, timedelta(days=400))
        reasons = facts.rounds.picks_by_reason()
        for one in facts.rounds.all():
            picks = facts.rounds.picks(one.id)
            assert [pick.rank for pick in picks] == list(range(12))
            assert facts.rounds.picks(one.id, 3) == picks[:3]
            assert Counter(pick.reason for pick in picks) == reasons[one.id]
            means = facts.rounds.score_means(one.id)
            for reason, mean in means.items():
                alike = [pick.redundancy for pick in picks if pick.reason is reason]
                known = [value for value in alike if value is not None]
                assert mean.n == len(alike)
                assert mean.compared == len(known)
                assert mean.alike == sum(value >= 0.95 for value in known)
                if known:
                    assert mean.redundancy == pytest.approx(sum(known) / len(known))
            scored = [p.mutual_information for p in picks if p.reason is Reason.UNCERTAIN]
            if scored and scored[0] is not None:
                mean_of = means[Reason.UNCERTAIN].mutual_information
                assert mean_of == pytest.approx(sum(value or 0.0 for value in scored) / len(scored))


def test_first_answers_come_by_time_and_only_what_had_been_received(made: Store) -> None:
    with made.read() as tx:
        ranks = {(row.round_id, row.item_id): row.rank for row in _all(made, t.selection)}
        tasks = {row.id: row for row in _all(made, t.task)}
        said = _all(made, t.annotation)
        for after in MOMENTS:
            facts = _facts(tx, after)
            for one in facts.rounds.all():
                first: dict[int, datetime] = {}
                for row in said:
                    task = tasks[row.task_id]
                    if task.round_id == one.id and row.received_at <= START + after:
                        rank = ranks[one.id, task.item_id]
                        first[rank] = min(row.created_at, first.get(rank, datetime.max.replace(tzinfo=UTC)))
                expected = sorted(first.items(), key=lambda pair: (pair[1], pair[0]))
                assert facts.rounds.first_answers(one.id) == expected


def test_what_became_of_the_most_wanted_is_as_it_was_then(made: Store) -> None:
    with made.read() as tx:
        items = {row.id: row.key for row in _all(made, t.item)}
        labels, said = _all(made, t.label), _all(made, t.annotation)
        for after in MOMENTS[1:]:
            at, facts = START + after, _facts(tx, after)
            in_force = {
                items[row.item_id]: row.value or row.status
                for row in labels
                if row.created_at <= at and (row.superseded_at is None or row.superseded_at > at)
            }
            answers = Counter(
                items[row.item_id]
                for row in said
                if row.received_at <= at and (row.superseded_at is None or row.superseded_at > at)
            )
            for one in facts.rounds.all():
                served = facts.rounds.served(one.id, 5)
                assert set(served) == {pick.item_key for pick in facts.rounds.picks(one.id, 5)}
                for key, found in served.items():
                    assert (found.label, found.answers) == (in_force.get(key), answers[key])


def test_labels_are_counted_by_class_and_source_and_an_item_that_is_taken_out_later_counts(
    made: Store,
) -> None:
    with made.read() as tx:
        facts = _facts(tx, timedelta(days=400))
        by_class = facts.coverage.by_class()
        sources = facts.coverage.by_source()
        agreed = [found for found in facts.labels.all() if found.status == "agreed"]
        held_out = facts.coverage.held_out_by_class()
        project = facts.project
    assert by_class == Counter(found.value for found in agreed)
    assert sum(source.labels for source in sources) == len(agreed)
    assert [source.name for source in sources] == ["made-up-0.csv", "made-up-1.csv", "made-up-2.csv"]
    # 400 came in, 30 of them held out: nobody can choose those.
    assert [source.rows for source in sources] == [148, 111, 111]
    assert sum(held_out.values()) == 30
    gone = agreed[0]
    with made.engine.begin() as connection:
        taken = {
            "split": Split.REMOVED,
            "removed_from": Split.POOL,
            "removed_at": START + timedelta(days=300),
        }
        connection.execute(t.item.update().where(t.item.c.id == gone.item_id).values(**taken))
    with made.read() as tx:
        before = tx.facts(project, START + timedelta(days=299)).coverage.by_class()
        after = tx.facts(project, START + timedelta(days=301)).coverage.by_class()
    assert before == by_class
    assert sum(after.values()) == len(agreed) - 1
