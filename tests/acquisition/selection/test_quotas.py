import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.selection.quotas import lifted, quotas


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_a_batch_is_divided_completely_and_nobody_gives_more_than_there_is(sizes, data):
    sizes_G = np.array(sizes)
    batch_size = data.draw(st.integers(0, int(sizes_G.sum())))
    balance = data.draw(st.sampled_from(["equal", "proportional"]))
    most = lifted(sizes_G, batch_size, data.draw(st.integers(1, 30)))
    counts_G = quotas(sizes_G, batch_size, balance, most)
    assert counts_G.sum() == batch_size
    assert (counts_G >= 0).all()
    assert (counts_G <= np.minimum(sizes_G, most)).all()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_equal_shares_differ_by_one_at_most_unless_a_group_is_exhausted(sizes, data):
    sizes_G = np.array(sizes)
    counts_G = quotas(sizes_G, data.draw(st.integers(1, int(sizes_G.sum()))), "equal")
    open_G = counts_G < sizes_G
    if open_G.any():
        assert counts_G.max() - counts_G[open_G].min() <= 1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_proportional_shares_are_the_exact_ones_rounded(sizes, data):
    sizes_G = np.array(sizes)
    batch_size = data.draw(st.integers(1, int(sizes_G.sum())))
    exact_G = batch_size * sizes_G / sizes_G.sum()
    assert (np.abs(quotas(sizes_G, batch_size, "proportional") - exact_G) < 1 + 1e-9).all()


@pytest.mark.parametrize(
    ("sizes", "batch_size", "balance", "most", "expected"),
    [
        ([10, 10, 10], 7, "equal", None, [3, 2, 2]),
        ([5, 20, 10], 4, "equal", None, [1, 2, 1]),
        ([1, 20, 20], 9, "equal", None, [1, 4, 4]),
        ([60, 30, 10], 10, "proportional", None, [6, 3, 1]),
        ([90, 5, 5], 10, "proportional", 5, [5, 3, 2]),
        ([0, 3, 3], 3, "proportional", None, [0, 2, 1]),
    ],
)
def test_known_divisions(sizes, batch_size, balance, most, expected):
    assert quotas(np.array(sizes), batch_size, balance, most).tolist() == expected


def test_a_limit_is_lifted_by_as_little_as_needed():
    assert lifted(np.array([10, 2, 1]), 9, 3) == 6
    assert lifted(np.array([10, 10]), 4, 2) == 2
