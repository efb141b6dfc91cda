"""The law of the store, on every database."""

import itertools
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from workbench.domain.consensus import majority
from workbench.domain.errors import ProjectProblem, RoundBusy, RoundProblem
from workbench.domain.records import (
    Annotation,
    BudgetPoint,
    LabelerLink,
    LabelStatus,
    Metric,
    NewItem,
    Project,
    Reason,
    Selection,
    Split,
    TaskKind,
    TaskState,
)
from workbench.domain.rounds import ORDER, Round, RoundState
from workbench.storage.diary import Wanted
from workbench.storage.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALIVE = {"is_gone": lambda _owner: False}


@pytest.fixture
def project(store: Store) -> Project:
    with store.begin() as tx:
        return tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)


@pytest.fixture
def held(store: Store, project: Project) -> Round:
    with store.begin() as tx:
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config={"k": 1})
        return tx.rounds.take(planned.id, "me", 60, **ALIVE)


def _items(store: Store, project: Project, keys: list[str], split: Split = Split.POOL) -> dict[str, int]:
    with store.begin() as tx:
        shard = tx.pool.add_shard(project.id, uri="x", rows=len(keys), sha256="f" * 64, source="here")
        new = [
            NewItem(key=key, split=split, payload={"text": key}, sha256=key, shard_id=shard.id, row=row)
            for row, key in enumerate(keys)
        ]
        tx.pool.touch(project.id, new)
        return {key: item.id for key, item in tx.pool.by_key(project.id, keys).items()}


def _choose(store: Store, project: Project, held: Round, keys: list[str]) -> None:
    ids = _items(store, project, keys)
    chosen = [
        Selection(item_key=k, rank=r, reason=Reason.UNCERTAIN, score=1.0 / (r + 1))
        for r, k in enumerate(keys)
    ]
    with store.begin() as tx:
        tx.tasks.choose(held.id, "labeler", chosen, ids)


def _annotation(task_id: int, item_id: int, external_id: str = "1", label: str | None = "a") -> Annotation:
    return Annotation(
        external_id=external_id,
        task_id=task_id,
        item_id=item_id,
        annotator="ada",
        label=label,
        seconds=3.5,
        created_at=NOW,
        updated_at=NOW,
        raw={"emoji": "🐙", "nul": "a\x00b"},
    )


def test_a_project_is_made_once_and_found_again(store: Store, project: Project) -> None:
    with store.begin() as tx:
        again = tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)
    assert again == project
    with pytest.raises(ProjectProblem, match="seed = 1 back"), store.begin() as tx:
        tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=5)


def test_a_project_with_other_classes_is_refused_with_what_to_do(store: Store, project: Project) -> None:
    with pytest.raises(ProjectProblem, match="Give the project another name"), store.begin() as tx:
        tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "c"), seed=1)


def test_a_link_is_kept_and_its_cursor_moves(store: Store, project: Project) -> None:
    with store.begin() as tx:
        tx.projects.save_link(project.id, LabelerLink(labeler="ls", external_id="7", url="http://a"))
        tx.projects.move_cursor(project.id, "ls", NOW)
        tx.projects.save_link(project.id, LabelerLink(labeler="ls", external_id="7", url="http://b"))
    with store.begin() as tx:
        link = tx.projects.link(project.id, "ls")
    assert link == LabelerLink(labeler="ls", external_id="7", url="http://b", cursor=NOW)


def test_the_same_shard_twice_is_one_shard(store: Store, project: Project) -> None:
    with store.begin() as tx:
        first = tx.pool.add_shard(project.id, uri="a", rows=2, sha256="1" * 64, source="s")
        second = tx.pool.add_shard(project.id, uri="b", rows=2, sha256="1" * 64, source="s")
        other = tx.pool.add_shard(project.id, uri="c", rows=2, sha256="2" * 64, source="s")
    assert (second, other.number) == (first, 1)


def test_an_item_keeps_the_split_it_came_with(store: Store, project: Project) -> None:
    _items(store, project, ["x"], Split.TEST)
    _items(store, project, ["x"], Split.POOL)
    with store.begin() as tx:
        assert [item.split for item in tx.pool.held_out(project.id)] == [Split.TEST]


def test_unavailable_are_held_out_chosen_and_labeled_items_until_a_round_is_cancelled(
    store: Store, project: Project, held: Round
) -> None:
    _items(store, project, ["held-out"], Split.TEST)
    _choose(store, project, held, ["x", "y", "z"])
    with store.begin() as tx:
        assert tx.pool.unavailable(project.id) == {"held-out", "x", "y", "z"}
        item_id = tx.pool.by_key(project.id, ["y"])["y"].id
        task = next(t for t in tx.tasks.of_round(held.id) if t.item_key == "y")
        tx.annotations.revise(item_id, 1, majority([_annotation(task.id, item_id)]), method="majority")
        x, _, z = tx.tasks.of_round(held.id)
        tx.tasks.set_states({x.id: TaskState.WITHDRAWN, z.id: TaskState.SKIPPED})
        tx.rounds.cancel(held)
    with store.begin() as tx:
        assert tx.pool.unavailable(project.id) == {"held-out", "y", "z"}, "z stays with the labeler"


def test_a_round_walks_through_every_state_and_no_other_way(store: Store, held: Round) -> None:
    for before, after in itertools.pairwise(ORDER):
        with store.begin() as tx:
            for wrong in set(ORDER) - {after}:
                with pytest.raises(RoundProblem, match="can not become"):
                    tx.rounds.move(held, wrong)
            assert tx.rounds.get(held.id).state is before
            held = tx.rounds.move(held, after)
    assert held.finished


def test_a_failed_round_goes_on_from_where_it_failed(store: Store, held: Round) -> None:
    with store.begin() as tx:
        tx.rounds.move(held, RoundState.SCORED)
        tx.rounds.fail(held, "the disk is full")
        failed = tx.rounds.get(held.id)
    assert (failed.state, failed.position, failed.error) == (
        RoundState.FAILED,
        RoundState.SCORED,
        "the disk is full",
    )
    with store.begin() as tx:
        moved = tx.rounds.move(failed, RoundState.SELECTED)
    assert (moved.state, moved.failed_from, moved.error) == (RoundState.SELECTED, None, None)


def test_a_lease_keeps_others_away_until_it_ends_or_its_holder_is_gone(store: Store, held: Round) -> None:
    with store.begin() as tx, pytest.raises(RoundBusy, match="is being worked on by me"):
        tx.rounds.take(held.id, "other", 60, **ALIVE)
    with store.begin() as tx:
        taken = tx.rounds.take(held.id, "other", 60, is_gone=lambda owner: owner == "me")
    assert taken.fence == held.fence + 1


def test_whoever_lost_the_lease_writes_nothing(store: Store, held: Round) -> None:
    with store.begin() as tx:
        tx.rounds.take(held.id, "other", 60, is_gone=lambda _owner: True)
    for write in ("renew", "move", "fail", "release", "cancel"):
        arguments = {"renew": (60,), "move": (RoundState.SCORED,), "fail": ("why",)}.get(write, ())
        with pytest.raises(RoundBusy, match="taken over"), store.begin() as tx:
            getattr(tx.rounds, write)(held, *arguments)
    with store.begin() as tx:
        assert tx.rounds.get(held.id).state is RoundState.PLANNED


def test_a_batch_written_twice_is_there_once_and_in_order(
    store: Store, project: Project, held: Round
) -> None:
    _choose(store, project, held, ["c", "a", "b"])
    _choose(store, project, held, ["c", "a", "b"])
    with store.begin() as tx:
        assert [t.item_key for t in tx.tasks.of_round(held.id)] == ["c", "a", "b"]
        assert [s.item_key for s in tx.tasks.selections(held.id)] == ["c", "a", "b"]
        assert tx.wanted.promised(project.id, 1) == (3, 3)


def test_a_task_keeps_the_first_id_it_was_given(store: Store, project: Project, held: Round) -> None:
    _choose(store, project, held, ["x"])
    with store.begin() as tx:
        task = tx.tasks.of_round(held.id)[0]
        tx.tasks.sent({task.id: "17"})
        tx.tasks.sent({task.id: "18"})
        assert tx.tasks.by_item_key(project.id, "labeler", ["x"])[0, "x"].external_id == "17"


def test_annotations_are_kept_in_every_version_and_never_twice(
    store: Store, project: Project, held: Round
) -> None:
    _choose(store, project, held, ["x"])
    with store.begin() as tx:
        task = tx.tasks.of_round(held.id)[0]
        first = _annotation(task.id, task.item_id)
        edited = replace(first, label="b", updated_at=NOW + timedelta(seconds=1))
        deleted = replace(edited, deleted=True)
        assert tx.annotations.add(project.id, "ls", [first]) == 1
        assert tx.annotations.add(project.id, "ls", [first, edited]) == 1
        assert tx.annotations.add(project.id, "ls", [first, edited, deleted]) == 1
    with store.begin() as tx:
        assert tx.annotations.of_items([task.item_id])[task.item_id] == [first, edited, deleted]


def test_a_label_is_revised_and_the_training_set_follows(store: Store, project: Project, held: Round) -> None:
    _choose(store, project, held, ["x", "y"])
    with store.begin() as tx:
        tasks = {t.item_key: t for t in tx.tasks.of_round(held.id)}
        for revision, label in ((1, "a"), (2, "b")):
            vote = _annotation(tasks["x"].id, tasks["x"].item_id, label=label)
            tx.annotations.revise(tasks["x"].item_id, revision, majority([vote]), method="majority")
        tx.annotations.revise(tasks["y"].item_id, 1, majority([]), method="majority")
    with store.begin() as tx:
        assert [(e.key, e.label) for e in tx.annotations.training_set(project.id)] == [("x", "b")]
        labels = {label.item_key: label for label in tx.annotations.labels(project.id)}
    assert (labels["x"].revision, labels["y"].status) == (2, LabelStatus.WITHDRAWN)


def test_held_out_items_never_reach_the_training_set(store: Store, project: Project) -> None:
    ids = _items(store, project, ["t"], Split.TEST)
    with store.begin() as tx:
        vote = _annotation(0, ids["t"])
        tx.annotations.revise(ids["t"], 1, majority([vote]), method="majority")
        assert tx.annotations.training_set(project.id) == []


def test_spending_counts_what_people_did_and_not_what_was_left_of_it(
    store: Store, project: Project, held: Round
) -> None:
    _choose(store, project, held, ["x", "y"])
    with store.begin() as tx:
        x, y = tx.tasks.of_round(held.id)
        made = _annotation(x.id, x.item_id, "1")
        again = replace(made, updated_at=NOW + timedelta(seconds=5), seconds=5.0)
        gone = replace(again, deleted=True)
        skipped = replace(_annotation(y.id, y.item_id, "2", None), skipped=True, seconds=2.0)
        tx.annotations.add(project.id, "ls", [made, again, gone, skipped])
        spent = tx.results.spending(project.id)
    assert (spent.labels, spent.annotations, spent.seconds) == (0, 1, 7.0)


def test_results_are_written_once(store: Store, project: Project, held: Round) -> None:
    facts = {
        "posterior": "p",
        "seed": 1,
        "data_hash": "d",
        "labels": 2,
        "uri": "u",
        "sha256": "s",
        "seconds": 0.1,
    }
    point = BudgetPoint(
        round_number=0,
        metric="accuracy",
        labels=1,
        annotations=1,
        seconds=1.0,
        cost=0.1,
        compute_seconds=0.1,
        value=0.5,
        low=0.4,
        high=0.6,
        n=9,
    )
    metric = Metric(split="test", name="accuracy", value=0.5, low=0.4, high=0.6, n=9)
    for _ in range(2):
        with store.begin() as tx:
            run = tx.results.save_run(project.id, held.id, {}, **facts)
            tx.results.add_metrics(run.id, held.id, [metric])
            tx.results.add_budget_point(held.id, point)
    with store.begin() as tx:
        assert tx.results.runs(project.id) == [run]
        assert tx.results.metrics(project.id) == [(0, metric)]
        assert tx.results.budget_points(project.id) == [point]
        assert tx.results.find_run(project.id, "d", "p") == run
        assert tx.results.find_run(project.id, "other", "p") is None


def test_an_error_inside_a_transaction_leaves_nothing_behind(store: Store, project: Project) -> None:
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        tx.results.note(project.id, "k", "m")
        raise ZeroDivisionError
    with store.begin() as tx:
        assert tx.results.events(project.id, Wanted()) == []


def test_a_transaction_inside_another_is_refused_at_once(store: Store) -> None:
    with store.begin(), pytest.raises(RuntimeError, match="waits forever"), store.begin():
        pass


def test_many_threads_that_read_and_then_write_never_lose_a_round_or_fail(
    store: Store, project: Project
) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                with store.begin() as tx:
                    tx.projects.lock(project.id)
                    tx.rounds.plan(project.id, batch_size=1, seed=0, config={})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.begin() as tx:
        numbers = [r.number for r in tx.rounds.all(project.id)]
    assert (failures, numbers) == ([], list(range(40)))


def test_times_without_a_zone_are_refused(store: Store, project: Project) -> None:
    with pytest.raises(sa.exc.StatementError, match="without a zone"), store.begin() as tx:
        tx.projects.move_cursor(project.id, "ls", datetime(2026, 1, 1))  # noqa: DTZ001


def test_states_of_tasks_are_written(store: Store, project: Project, held: Round) -> None:
    _choose(store, project, held, ["x"])
    with store.begin() as tx:
        task = tx.tasks.of_round(held.id)[0]
        tx.tasks.set_states({task.id: TaskState.LABELED})
        assert [t.state for t in tx.tasks.of_round(held.id)] == [TaskState.LABELED]


def test_whoever_locks_the_project_second_waits_for_the_first(store: Store, project: Project) -> None:
    entered = threading.Event()

    def second() -> None:
        with store.begin() as tx:
            tx.projects.lock(project.id)
            entered.set()

    with store.begin() as tx:
        tx.projects.lock(project.id)
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(30)
    thread.join()
