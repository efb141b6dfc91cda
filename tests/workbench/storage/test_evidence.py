"""What rounds leave for reports, on every database: kept once, read back as it was."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from workbench.domain.arms import Arm
from workbench.domain.consensus import majority
from workbench.domain.records import (
    Annotation,
    NewItem,
    Project,
    Reason,
    Selection,
    Split,
    TaskKind,
    TaskState,
)
from workbench.domain.rounds import Round, RoundState
from workbench.storage.maps import PoolMap, pack_map, unpack_map
from workbench.storage.predictions import Predictions, same_items
from workbench.storage.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
N = 5


@pytest.fixture
def project(store: Store) -> Project:
    with store.begin() as tx:
        return tx.projects.ensure("digits", kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)


@pytest.fixture
def held(store: Store, project: Project) -> Round:
    return _round(store, project)


def _round(store: Store, project: Project) -> Round:
    with store.begin() as tx:
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config={})
        return tx.rounds.take(planned.id, "me", 60, is_gone=lambda _owner: False)


def _predictions(seed: int = 0) -> Predictions:
    source = np.random.default_rng(seed)
    numbers = {
        name: source.random(N).astype(np.float32)
        for name in (
            "confidence_N",
            "true_probability_N",
            "squared_error_N",
            "entropy_N",
            "mutual_information_N",
        )
    }
    classes = {name: source.integers(0, 2, N).astype(np.int16) for name in ("target_N", "predicted_N")}
    return Predictions(items_N=np.arange(10, 10 + N), **classes, **numbers)


def test_predictions_are_kept_once_for_a_round_and_arm(store: Store, project: Project, held: Round) -> None:
    for seed in (0, 1):
        with store.begin() as tx:
            tx.evidence.keep_predictions(held.id, Arm.ACTIVE, 7, _predictions(seed))
    with store.begin() as tx:
        tx.evidence.keep_predictions(held.id, Arm.CONTROL, 2, _predictions(2))
    with store.read() as tx:
        facts = tx.facts(project).predictions
        found, hits = facts.of_round(held.number), facts.hits()
    first = _predictions(0)
    assert found is not None
    for name in Predictions.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(first, name))
    assert [(hit.arm, hit.labels) for hit in hits] == [(Arm.ACTIVE, 7), (Arm.CONTROL, 2)]
    np.testing.assert_array_equal(hits[0].right_N, first.right_N)
    assert hits[0].items_sha256 == same_items(reversed(range(10, 10 + N)))


def test_findings_of_a_name_come_back_oldest_first(store: Store, project: Project, held: Round) -> None:
    with store.begin() as tx:
        tx.evidence.keep_diagnostic(project.id, "one", {"n": 1}, round_id=held.id)
        tx.evidence.keep_diagnostic(project.id, "other", {"n": 2})
        tx.evidence.keep_diagnostic(project.id, "one", {"n": 3})
    with store.read() as tx:
        assert tx.evidence.diagnostics(project.id, "one") == [{"n": 1}, {"n": 3}]
        assert tx.evidence.has_diagnostic(held.id, "one")
        assert not tx.evidence.has_diagnostic(held.id, "other")


def test_the_newest_map_of_an_encoder_is_found_and_a_pool_has_one(store: Store, project: Project) -> None:
    first = PoolMap(
        mean_D=np.arange(3.0),
        scale_D=np.full(3, np.inf),
        directions_D_2=np.eye(3, 2, dtype=np.float32),
        sample_S_2=np.ones((4, 2), np.float32),
    )
    assert pack_map(first) == pack_map(unpack_map(pack_map(first)))
    with store.begin() as tx:
        tx.evidence.keep_map(project.id, "text", "pool 1", pack_map(first))
        tx.evidence.keep_map(project.id, "text", "pool 2", b"two")
        tx.evidence.keep_map(project.id, "text", "pool 2", b"again")
        tx.evidence.keep_map(project.id, "image", "pool 2", b"image")
    with store.read() as tx:
        assert tx.evidence.map_of(project.id, "text") == ("pool 2", b"two")
        assert tx.evidence.map_of(project.id, "vision") is None


def test_of_the_random_share_is_what_was_labeled_because_it_was_drawn(
    store: Store, project: Project, held: Round
) -> None:
    picks = {"drawn": Reason.CONTROL, "chosen": Reason.UNCERTAIN, "went back": Reason.CONTROL}
    _choose(store, project, held, picks)
    with store.begin() as tx:
        back = next(task for task in tx.tasks.of_round(held.id) if task.item_key == "went back")
        tx.tasks.set_states({back.id: TaskState.CANCELLED})
        tx.rounds.cancel(held)
    later = _round(store, project)
    # It came back for its score: that is no draw any more.
    _choose(store, project, later, {"went back": Reason.UNCERTAIN})
    with store.begin() as tx:
        items = tx.pool.by_key(project.id, ["drawn", "chosen", "went back"])
        for item in items.values():
            vote = _vote(item.id)
            tx.annotations.revise(item.id, 1, majority([vote]), method="majority")
    with store.read() as tx:
        everything = tx.annotations.training_set(project.id)
        drawn = tx.annotations.training_set(project.id, control=True)
    assert [example.key for example in everything] == ["chosen", "drawn", "went back"]
    assert [example.key for example in drawn] == ["drawn"]


def test_a_round_remembers_among_how_many_it_drew(store: Store, project: Project, held: Round) -> None:
    with store.begin() as tx:
        scored = tx.rounds.move(held, RoundState.SCORED, strategy="coverage")
        tx.rounds.move(scored, RoundState.SELECTED, pool_size=123_456_789_012)
    with store.read() as tx:
        assert tx.rounds.get(held.id).pool_size == 123_456_789_012


def _choose(store: Store, project: Project, held: Round, picks: dict[str, Reason]) -> None:
    with store.begin() as tx:
        shard = tx.pool.add_shard(project.id, uri="x", rows=9, sha256="f" * 64, source="here")
        tx.pool.touch(project.id, [_new(key, shard.id) for key in picks])
        ids = {key: item.id for key, item in tx.pool.by_key(project.id, picks).items()}
        rows: Sequence[Selection] = [
            Selection(item_key=key, rank=rank, reason=reason)
            for rank, (key, reason) in enumerate(picks.items())
        ]
        tx.tasks.choose(held.id, "labeler", rows, ids)


def _new(key: str, shard_id: int) -> NewItem:
    return NewItem(key=key, split=Split.POOL, payload={"text": key}, sha256=key, shard_id=shard_id, row=0)


def _vote(item_id: int) -> Annotation:
    return Annotation(
        external_id="1",
        task_id=0,
        item_id=item_id,
        annotator="ada",
        label="a",
        created_at=NOW,
        updated_at=NOW,
    )
