"""Laws of what is mixed into a batch: gold tasks, blind tasks, and labeled items in place of new ones."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.budget import Caps, Prices, Promise, Spending, affordable
from workbench.domain.records import Reason, Selection
from workbench.steps.gold import blind_keys, mixed_in, share_size
from workbench.steps.relabel import most_wanted

seeds = st.integers(0, 2**31 - 1)


def picks(count: int, reason: Reason = Reason.UNCERTAIN, predicted: str | None = "cat") -> list[Selection]:
    return [
        Selection(item_key=f"{reason}-{n}", rank=n, reason=reason, predicted=predicted) for n in range(count)
    ]


@given(seeds, st.integers(0, 30), st.integers(0, 10))
def test_what_is_mixed_in_leaves_the_order_of_the_batch(seed: int, own: int, gold: int) -> None:
    mixed = mixed_in(seed, picks(own), picks(gold, Reason.GOLD))
    assert [p.item_key for p in mixed if p.reason is Reason.UNCERTAIN] == [p.item_key for p in picks(own)]
    assert [p.rank for p in mixed] == list(range(own + gold))


def test_gold_stands_at_every_place_equally_often() -> None:
    places = Counter(
        next(p.rank for p in mixed_in(seed, picks(4), picks(1, Reason.GOLD)) if p.reason is Reason.GOLD)
        for seed in range(2000)
    )
    assert set(places) == set(range(5))
    assert all(count / 2000 == pytest.approx(0.2, abs=0.04) for count in places.values())


@given(seeds, st.integers(1, 200), st.floats(0, 1))
def test_a_share_is_never_more_than_the_budget_sets_aside(seed: int, size: int, share: float) -> None:
    taken = share_size(seed, size, share, "gold-size")
    assert abs(taken - size * share) < 1
    fitting = affordable(
        3 * size,
        spent=Spending(0, 0, 0.0),
        promised=Promise(0, 0),
        overlap=1,
        caps=Caps(cost=2.0 * size + 1),
        prices=Prices(per_annotation=1.0),
        gold_share=share,
    )
    assert fitting + share_size(seed, fitting, share, "gold-size") <= 2 * size + 1


@given(seeds, st.integers(0, 40), st.floats(0, 1))
def test_a_blind_share_is_a_share_of_what_has_an_answer_to_hide(seed: int, size: int, share: float) -> None:
    batch = picks(size) + picks(7, Reason.CONTROL, predicted=None)
    blind = blind_keys(seed, batch, share)
    assert abs(len(blind) - size * share) < 1
    assert blind <= {p.item_key for p in picks(size)}
    assert blind_keys(seed, batch[::-1], share) == blind, "the order of the batch does not matter"


scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(scores, scores, st.integers(0, 6))
def test_labeled_items_take_places_only_where_they_are_wanted_more(
    labeled: list[float], new: list[float], limit: int
) -> None:
    taken = most_wanted(np.array(labeled), np.array(new), limit=limit)
    assert len(taken) <= min(limit, len(new))
    assert [labeled[i] for i in taken] == sorted((labeled[i] for i in taken), reverse=True)
    for place, i in enumerate(taken):
        assert labeled[i] > sorted(new)[place], "it outdoes the new item whose place it takes"


def test_equally_wanted_the_new_item_stays() -> None:
    assert most_wanted(np.array([0.5, 0.5]), np.array([0.5, 0.5]), limit=2) == []
