"""Caps can not be overrun, and what fits is never refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.budget import Caps, Prices, Spending, affordable, promise
from workbench.domain.errors import BudgetExhausted

spendings = st.builds(Spending, st.integers(0, 50), st.integers(0, 50), st.floats(0, 5000))
prices = st.builds(Prices, per_annotation=st.floats(0, 2), per_hour=st.floats(0, 50))
caps = st.builds(
    Caps,
    labels=st.none() | st.integers(1, 100),
    cost=st.none() | st.floats(0.01, 200),
    hours=st.none() | st.floats(0.01, 20),
)


@given(st.integers(1, 40), spendings, st.integers(0, 20), st.integers(1, 3), caps, prices)
def test_what_is_allowed_fits_and_one_more_would_not(
    wanted: int, spent: Spending, reserved: int, overlap: int, limits: Caps, price: Prices
) -> None:
    def fits(count: int) -> bool:
        total = spent.plus(promise(reserved + count, overlap=overlap, spent=spent, prices=price))
        return (
            (limits.labels is None or total.labels <= limits.labels)
            and (limits.cost is None or total.cost(price) <= limits.cost + 1e-6)
            and (limits.hours is None or total.seconds / 3600 <= limits.hours + 1e-6)
        )

    try:
        size = affordable(wanted, spent=spent, reserved=reserved, overlap=overlap, caps=limits, prices=price)
    except BudgetExhausted:
        size = 0
    assert size == 0 or fits(size)
    assert size == wanted or not fits(size + 1) or limits.cost is not None or limits.hours is not None


def test_without_caps_everything_fits() -> None:
    nothing = Spending(0, 0, 0.0)
    assert affordable(1000, spent=nothing, reserved=0, overlap=3, caps=Caps(), prices=Prices()) == 1000


def test_money_is_annotations_and_hours() -> None:
    assert Spending(1, 10, 1800).cost(Prices(per_annotation=0.1, per_hour=20)) == pytest.approx(11.0)
