"""The chances that are kept with a batch: what a weighted estimate from chosen items is made of."""

import numpy as np
import pytest

from tests.workbench.steps.conftest import Played
from workbench.domain.records import Reason, Selection
from workbench.steps.parts import Parts


def _last(parts: Parts) -> tuple[int | None, list[Selection]]:
    with parts.store.read() as tx:
        last = tx.rounds.all(parts.project.id)[-1]
        return last.pool_size, tx.tasks.selections(last.id)


def test_a_round_keeps_among_how_many_it_drew_and_with_which_chances(played: Played) -> None:
    parts = played(2, acquisition="control_share = 0.3\nselector_options = { beta = 0.0 }")
    pool_size, picks = _last(parts)
    drawn = [pick.proposal for pick in picks if pick.reason is Reason.CONTROL]
    chosen = [pick.proposal for pick in picks if pick.reason is Reason.UNCERTAIN]
    assert pool_size is not None
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
        before = len(tx.tasks.selections(tx.rounds.all(parts.project.id)[0].id))
        held_out = len(tx.pool.held_out(parts.project.id))
    assert pool_size == sum(shard.rows for shard in shards) - before - held_out
    # β = 0 draws evenly: each chance is one over what was left when it was drawn, the random share first.
    left = [1 / (pool_size - number) for number in range(len(picks))]
    assert sorted(drawn) == pytest.approx(left[: len(drawn)])
    assert chosen == pytest.approx(left[len(drawn) :])


def test_chances_follow_the_scores(played: Played) -> None:
    parts = played(2, acquisition="control_share = 0.0\nselector_options = { beta = 2.0 }")
    _, picks = _last(parts)
    assert all(pick.proposal is not None and 0 < pick.proposal <= 1 for pick in picks)
    first, second = picks[0], picks[1]
    assert first.proposal is not None
    assert second.proposal is not None
    assert first.score is not None
    assert second.score is not None
    # w_1 / W and w_2 / (W − w_1) with w = s²: one W fits both.
    weights = np.array([first.score, second.score]) ** 2
    total = weights[0] / first.proposal
    assert second.proposal == pytest.approx(weights[1] / (total - weights[0]), rel=1e-4)


@pytest.mark.parametrize("selector", ["top_k", "badge"])
def test_where_nothing_is_drawn_or_a_shortlist_is_cut_no_chance_is_told(
    played: Played, selector: str
) -> None:
    parts = played(2, acquisition=f'control_share = 0.0\nselector = "{selector}"\nshortlist = 20')
    _, picks = _last(parts)
    assert {pick.proposal for pick in picks} == {None}
