"""Why picks were picked, told beside the batch: right, the same each time, and without any say in it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbench.steps.conftest import Played
from workbench.domain.errors import PoolProblem
from workbench.domain.records import Selection
from workbench.domain.rounds import Round
from workbench.learning.directions import look_at
from workbench.learning.learner import Learner
from workbench.steps import choose, explain, pool_map
from workbench.steps.explain import Explained, explained, likeness
from workbench.steps.parts import Parts
from workbench.steps.pool_map import map_of_pool
from workbench.storage.diary import Wanted
from workbench.storage.maps import unpack_map
from workbench.storage.shards import read_shard


def _rounds(parts: Parts) -> list[tuple[Round, list[Selection]]]:
    with parts.store.read() as tx:
        return [(found, tx.tasks.selections(found.id)) for found in tx.rounds.all(parts.project.id)]


def _features(parts: Parts) -> dict[str, np.ndarray]:
    """The numbers of every item, each column brought to one scale by the whole pool, as the map does."""
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
    rows = [row for shard in shards for some in read_shard(parts.directory / shard.uri) for row in some]
    values = np.array([row.payload["features"] for row in rows])
    scaled = (values - values.mean(0)) / values.std(0) / np.sqrt(2 * values.shape[1])
    return dict(zip([row.key for row in rows], scaled, strict=True))


def test_picks_say_their_nearest_labeled_item_and_their_likeness_to_those_before(played: Played) -> None:
    parts = played(2)
    (_, first), (_, second) = _rounds(parts)
    features = _features(parts)
    with parts.store.read() as tx:
        labeled = {example.key for example in tx.annotations.training_set(parts.project.id)}
    before = [key for key in labeled if key in {pick.item_key for pick in first}]
    assert {pick.neighbour for pick in first} == {None}
    for place, pick in enumerate(second):
        distances = {key: np.linalg.norm(features[key] - features[pick.item_key]) for key in before}
        nearest = min(distances, key=lambda key: distances[key])
        assert pick.neighbour == nearest
        assert pick.neighbour_distance == pytest.approx(distances[nearest], abs=1e-4)
        here = features[pick.item_key]
        others = [features[other.item_key] for other in second[:place]]
        cosines = [here @ other / np.linalg.norm(here) / np.linalg.norm(other) for other in others]
        assert pick.redundancy == (pytest.approx(max(cosines), abs=1e-4) if cosines else None)


def test_all_rounds_of_a_pool_lie_on_one_map(played: Played) -> None:
    parts = played(2)
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
        kept = tx.evidence.map_of(parts.project.id, pool_map._encoder(parts))
    assert kept is not None
    found = unpack_map(kept[1])
    features = _features(parts)
    assert len(found.sample_S_2) == len(features) == 60
    placed = {(pick.x, pick.y) for _, picks in _rounds(parts) for pick in picks}
    for x, y in placed:
        assert np.linalg.norm(found.sample_S_2 - np.array([x, y]), axis=1).min() < 1e-6
    again = map_of_pool(parts, shards)
    np.testing.assert_array_equal(again.map.sample_S_2, found.sample_S_2)


def test_when_the_pool_grows_the_axes_stay_and_the_sample_is_drawn_anew(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_map, "SAMPLE", 20)
    parts = played(1)
    with parts.store.read() as tx:
        (shard,) = tx.pool.shards(parts.project.id)
    before = map_of_pool(parts, [shard])
    grown = map_of_pool(parts, [shard, replace(shard, sha256="another")])
    np.testing.assert_array_equal(before.map.directions_D_2, grown.map.directions_D_2)
    assert before.pool_sha256 != grown.pool_sha256
    assert len(grown.map.sample_S_2) == 20


def test_explaining_has_no_say_in_what_is_picked(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def untold(_parts: Parts, batch: list[Selection], *_rest: object) -> Explained:
        return Explained(batch=batch)

    told = _rounds(played(2))
    monkeypatch.setattr(choose, "explained", untold)
    silent = _rounds(played(2, folder="silent"))
    bare = {"neighbour": None, "neighbour_distance": None, "redundancy": None, "x": None, "y": None}
    for (_, picks), (_, others) in zip(told, silent, strict=True):
        assert [replace(pick, **bare) for pick in picks] == others


def test_what_can_not_be_explained_goes_out_as_it_is(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_arguments: object) -> None:
        raise PoolProblem("The picture is lost.")

    monkeypatch.setattr(Learner, "plain", lost)
    parts = played(1)
    ((_, picks),) = _rounds(parts)
    with parts.store.read() as tx:
        events = tx.results.events(parts.project.id, Wanted(kind="explain"))
    assert {(pick.x, pick.redundancy) for pick in picks} == {(None, None)}
    assert [event.message for event in events] == ["The batch is not explained: The picture is lost."]


def test_the_same_batch_is_explained_in_the_same_way(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = played(2)
    _, (_, picks) = _rounds(parts)
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
        items = tx.pool.by_key(parts.project.id, [pick.item_key for pick in picks])
    payloads = {key: item.payload for key, item in items.items()}
    whole = explained(parts, picks, payloads, shards).batch
    assert explained(parts, picks, payloads, shards).batch == whole
    monkeypatch.setattr(explain, "AT_ONCE", 3)
    in_parts = explained(parts, picks, payloads, shards).batch
    assert [pick.neighbour for pick in in_parts] == [pick.neighbour for pick in whole]


@given(st.integers(0, 10_000), st.booleans())
def test_two_items_of_the_pool_are_one_apart_on_average(seed: int, each: bool) -> None:
    source = np.random.default_rng(seed)
    features = source.normal(source.normal(0, 50, 5), source.uniform(0.1, 40, 5), (300, 5))
    look = look_at(features, each=each, seed=0)
    spread = (features - look.mean_D) / look.scale_D
    apart = ((spread[:, None] - spread[None]) ** 2).sum(-1).mean()
    assert apart == pytest.approx(1.0, rel=1e-9)
    assert np.linalg.norm(look.directions_D_2, axis=0) == pytest.approx(1.0, rel=1e-5)
    assert (look.directions_D_2[np.abs(look.directions_D_2).argmax(0), [0, 1]] > 0).all()


def test_the_map_shows_the_directions_in_which_items_differ_most() -> None:
    source = np.random.default_rng(0)
    features = source.normal(0, 1, (500, 6)) * np.array([1, 9, 1, 1, 5, 1])
    look = look_at(features, each=False, seed=0)
    assert np.abs(look.directions_D_2).argmax(0).tolist() == [1, 4]


def test_items_that_are_all_alike_have_a_map_too() -> None:
    look = look_at(np.ones((4, 3)), each=True, seed=0)
    spread = (np.ones((4, 3)) - look.mean_D) / look.scale_D
    assert not spread.any()
    assert np.isfinite(look.directions_D_2).all()


def test_likeness_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
    whole = likeness(rows)
    monkeypatch.setattr(explain, "ROWS", 5)
    assert likeness(rows)[1:] == pytest.approx(whole[1:], abs=1e-6)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    by_hand = [max(unit[row] @ unit[other] for other in range(row)) for row in range(1, 23)]
    assert whole[1:] == pytest.approx(by_hand, abs=1e-6)


def test_likeness_is_the_largest_cosine_with_a_row_before() -> None:
    rows = np.array([[1, 0], [0, 2], [3, 3], [-1, 0]], np.float32)
    assert likeness(rows)[1:] == pytest.approx([0.0, 0.5**0.5, 0.0], abs=1e-6)
    assert np.isnan(likeness(rows)[0])
