"""Orders held against each other: scipy, brute force, and intervals counted in simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr

from workbench.reports.statistics.ranks import area_interval, out_of_place, spearman


@pytest.mark.parametrize(
    ("gap", "wrong", "right"), [(0.0, 20, 20), (1.0, 10, 90), (1.0, 50, 50), (2.0, 30, 300)]
)
def test_the_interval_of_an_area_covers_the_truth_as_often_as_it_says(
    gap: float, wrong: int, right: int
) -> None:
    random = np.random.default_rng(wrong)
    first = random.normal(gap, 1, (2000, wrong))
    second = np.sort(random.normal(0, 1, (2000, right)))
    areas = [np.searchsorted(b, a).mean() / right for a, b in zip(first, second, strict=True)]
    truth = norm.cdf(gap / np.sqrt(2))
    ends = [area_interval(float(area), wrong, right) for area in areas]
    assert 0.935 <= np.mean([low <= truth <= high for low, high in ends]) <= 0.985


def test_the_interval_of_a_perfect_area_is_as_wide_as_few_items_make_it() -> None:
    few, many = area_interval(1.0, 3, 30), area_interval(1.0, 300, 3000)
    assert few.high == pytest.approx(1.0)
    assert 0.5 < few.low < 0.9 < 0.99 < many.low


def test_the_interval_is_the_same_seen_from_the_other_side() -> None:
    one, other = area_interval(0.8, 7, 7), area_interval(0.2, 7, 7)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


def test_rank_correlation_is_that_of_scipy_with_ties_too() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 9, 50).tolist(), random.integers(0, 9, 50).tolist()
    found = spearman(first, second)
    assert found is not None
    assert found[0] == pytest.approx(spearmanr(first, second).statistic)


@pytest.mark.parametrize(("rho", "n"), [(0.0, 20), (0.5, 50), (0.9, 50)])
def test_the_interval_of_rank_correlation_covers_the_truth_as_often_as_it_says(rho: float, n: int) -> None:
    random = np.random.default_rng(n)
    truth = 6 / np.pi * np.arcsin(rho / 2)
    covers = []
    for _ in range(1000):
        first = random.normal(size=n)
        found = spearman(first.tolist(), (rho * first + np.sqrt(1 - rho**2) * random.normal(size=n)).tolist())
        assert found is not None
        covers.append(found[1].low <= truth <= found[1].high)
    assert 0.93 <= np.mean(covers) <= 0.985


def test_without_an_order_there_is_no_correlation() -> None:
    assert spearman([1, 2, 3], [1, 2, 3]) is None
    assert spearman([1, 2, 3, 4], [5, 5, 5, 5]) is None
    assert spearman([1, 2, 3, 4], [2, 3, 4, 5]) == (1.0, (1.0, 1.0))


def _by_hand(order: list[int]) -> int:
    longest = [1] * len(order)
    for i in range(len(order)):
        for j in range(i):
            if order[j] <= order[i]:
                longest[i] = max(longest[i], longest[j] + 1)
    return len(order) - max(longest, default=0)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 12), max_size=25))
def test_out_of_place_is_what_is_left_of_the_longest_part_that_does_not_fall(order: list[int]) -> None:
    assert out_of_place(order) == _by_hand(order)


def test_one_item_that_came_last_is_one_out_of_place() -> None:
    assert out_of_place([1, 2, 3, 4, 0]) == 1
    assert out_of_place([4, 3, 2, 1]) == 3
