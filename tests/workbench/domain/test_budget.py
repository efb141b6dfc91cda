"""Caps can not be overrun, and what fits is never refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.budget import Caps, Prices, Promise, Spending, affordable, expected
from workbench.domain.errors import BudgetExhausted

spendings = st.builds(Spending, st.integers(0, 50), st.integers(0, 50), st.floats(0, 5000))
prices = st.builds(Prices, per_annotation=st.floats(0, 2), per_hour=st.floats(0, 50))
caps = st.builds(
    Caps,
    labels=st.none() | st.integers(1, 100),
    cost=st.none() | st.floats(0.01, 200),
    hours=st.none() | st.floats(0.01, 20),
)


promises = st.builds(Promise, st.integers(0, 20), st.integers(0, 40))


@given(
    st.integers(1, 40),
    spendings,
    promises,
    st.integers(1, 3),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    caps,
    prices,
)
def test_what_is_allowed_fits_and_one_more_would_not(
    wanted: int, spent: Spending, promised: Promise, overlap: int, gold: float, limits: Caps, price: Prices
) -> None:
    def fits(count: int) -> bool:
        tasks = count + math.ceil(count * gold)
        more = promised.plus(Promise(count, tasks * overlap))
        total = spent.plus(expected(more, spent=spent, prices=price))
        return (
            (limits.labels is None or total.labels <= limits.labels)
            and (limits.cost is None or total.cost(price) <= limits.cost + 1e-6)
            and (limits.hours is None or total.seconds / 3600 <= limits.hours + 1e-6)
        )

    try:
        size = affordable(
            wanted,
            spent=spent,
            promised=promised,
            overlap=overlap,
            caps=limits,
            prices=price,
            gold_share=gold,
        )
    except BudgetExhausted:
        size = 0
    assert size == 0 or fits(size)
    assert size == wanted or not fits(size + 1) or limits.cost is not None or limits.hours is not None


def test_without_caps_everything_fits() -> None:
    nothing = Spending(0, 0, 0.0)
    free = Promise(0, 0)
    assert affordable(1000, spent=nothing, promised=free, overlap=3, caps=Caps(), prices=Prices()) == 1000


def test_money_is_annotations_and_hours() -> None:
    assert Spending(1, 10, 1800).cost(Prices(per_annotation=0.1, per_hour=20)) == pytest.approx(11.0)


def test_only_the_annotations_that_are_missing_are_promised() -> None:
    spent, limits = Spending(0, 3, 30.0), Caps(cost=6.0)
    price = Prices(per_annotation=1.0)
    half_answered = Promise(3, 3)
    assert affordable(9, spent=spent, promised=Promise(0, 0), overlap=1, caps=limits, prices=price) == 3
    with pytest.raises(BudgetExhausted, match="3 labels and 3 annotations of them promised"):
        affordable(9, spent=spent, promised=half_answered, overlap=1, caps=limits, prices=price)
