"""Laws of the batch: the random share, its places, and the order in which answers came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.records import Reason
from workbench.steps.pick import Pick, _mixed, control_size
from workbench.steps.settle import _concordance


@given(st.integers(0, 2**31 - 1), st.integers(1, 500), st.floats(0, 1))
def test_the_random_share_is_a_whole_number_beside_its_exact_size(seed: int, size: int, share: float) -> None:
    assert abs(control_size(seed, size, share) - size * share) <= 1
    assert 0 <= control_size(seed, size, share) <= size


def test_over_many_rounds_the_random_share_is_what_was_asked_for() -> None:
    assert sum(control_size(seed, 5, 0.1) for seed in range(4000)) / 20_000 == pytest.approx(0.1, abs=0.01)


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(0, 10))
def test_random_picks_are_never_first_and_the_others_keep_their_order(
    seed: int, wanted: int, control: int
) -> None:
    chosen = [Pick(index=n, reason=Reason.UNCERTAIN) for n in range(wanted)]
    drawn = [Pick(index=100 + n, reason=Reason.CONTROL) for n in range(control)]
    mixed = _mixed(seed, chosen, drawn)
    assert [pick for pick in mixed if pick.reason is Reason.UNCERTAIN] == chosen
    assert mixed[0] == chosen[0]
    assert len(mixed) == wanted + control


@given(st.permutations(range(8)))
def test_concordance_counts_pairs_in_order(order: list[int]) -> None:
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    expected = sum(order[a] < order[b] for a, b in pairs) / len(pairs)
    assert _concordance(order) == pytest.approx(expected)


def test_one_answer_has_no_order() -> None:
    assert _concordance([3]) is None
