"""LURE is unbiased, whatever the chances: over all ways of drawing, and over many draws."""

from itertools import permutations

import numpy as np
import pytest

from tests.workbench.reports.statistics.simulated import KINDS, pools
from workbench.reports.statistics.lure import LEAST_REPRESENTED, together, weigh, weights

SCORES = np.array([5.0, 0.2, 1.0, 3.0, 0.5])
WRONG = np.array([1.0, 0.0, 1.0, 0.0, 1.0])


def _chances(order: tuple[int, ...]) -> np.ndarray:
    """How likely each of a sequence was drawn next, with chances in proportion to scores."""
    return np.array(
        [SCORES[i] / SCORES[[j for j in range(5) if j not in order[:m]]].sum() for m, i in enumerate(order)]
    )


@pytest.mark.parametrize("drawn", [1, 2, 3, 4])
def test_over_all_ways_of_drawing_the_mean_is_the_pools_error(drawn: int) -> None:
    """Every sequence of a pool of five is enumerated; the plain mean of the drawn ones is far off."""
    mean = plain = total = 0.0
    for order in permutations(range(5), drawn):
        chance = _chances(order)
        wrong = WRONG[list(order)]
        mean += chance.prod() * (weights(chance, 5) * wrong).mean()
        plain += chance.prod() * wrong.mean()
        total += chance.prod()
    assert total == pytest.approx(1)
    assert mean == pytest.approx(WRONG.mean(), abs=1e-12)
    assert abs(plain - WRONG.mean()) > 0.01 or drawn == 4


def test_over_many_pools_the_mean_is_within_three_standard_errors_and_the_plain_mean_is_not() -> None:
    true, wrong, chance = pools(np.random.default_rng(3), KINDS[1], 3000)
    pool = KINDS[1].pool
    found = np.array([(weights(q, pool) * e).mean() for e, q in zip(wrong, chance, strict=True)])
    error = (found - true).std() / np.sqrt(len(true))
    assert abs((found - true).mean()) < 3 * error
    assert abs((wrong.mean(1) - true).mean()) > 30 * error


def test_items_drawn_evenly_count_evenly() -> None:
    even = 1 / (100 - np.arange(20))
    np.testing.assert_allclose(weights(even, 100), 1)
    found = weigh(np.array([1.0, 0] * 10), even, 100, 0.9)
    assert found is not None
    assert found.accuracy == pytest.approx(0.5)
    assert found.represented == pytest.approx(1)


def test_the_whole_pool_is_its_own_accuracy() -> None:
    chance = _chances((3, 1, 0, 2, 4))
    np.testing.assert_array_equal(weights(chance, 5), 1)
    found = weigh(WRONG[[3, 1, 0, 2, 4]], chance, 5, 0.9)
    assert found is not None
    assert found.accuracy == pytest.approx(0.4)


def test_items_without_a_label_do_not_pull_the_estimate_of_those_with_one() -> None:
    """A tenth of the pool can not be labeled, whatever its score: the mean stays that of the rest."""
    rng = np.random.default_rng(5)
    true, wrong, chance = pools(rng, KINDS[1], 1500)
    known = rng.random(wrong.shape) > 0.1
    found = [weigh(e, q, KINDS[1].pool, 0.9, known_M=k) for e, q, k in zip(wrong, chance, known, strict=True)]
    gap = np.array([one.accuracy - (1 - error) for one, error in zip(found, true, strict=True) if one])
    assert abs(gap.mean()) < 3 * gap.std() / np.sqrt(len(gap)) + 0.003


def test_draws_that_stand_for_little_of_the_pool_are_not_shown() -> None:
    """A real batch: the twelve that were drawn had ten to sixty times an even chance, the rest hardly any."""
    chance = np.linspace(60, 10, 12) / 1330
    found = weigh(np.ones(12), chance, 1330, 0.95)
    assert found is not None
    assert found.represented < LEAST_REPRESENTED
    assert not found.shown


def test_an_unlikely_item_that_outweighs_all_others_is_not_shown_and_makes_up_for_no_other_round() -> None:
    """A real round: one item of two hundred times the usual weight, and eleven rounds of likely ones."""
    likely = weigh(np.ones(12), np.linspace(60, 10, 12) / 1330, 1330, 0.9)
    one = weigh(np.ones(12), np.r_[1e-5, np.full(11, 0.02)], 1330, 0.9)
    assert likely is not None
    assert one is not None
    assert one.represented > 2
    assert not one.shown
    assert not together([one, *[likely] * 11], 0.9).shown


def test_one_label_says_nothing() -> None:
    assert weigh(np.array([1.0]), np.array([0.1]), 10, 0.9) is None
    assert weigh(np.ones(3), np.full(3, 0.1), 10, 0.9, known_M=np.array([True, False, False])) is None


def test_two_labels_say_next_to_nothing() -> None:
    """Student's t of one degree of freedom reaches beyond what a level can name."""
    found = weigh(np.zeros(2), np.array([0.008, 0.25]), 21, 0.95)
    assert found is not None
    assert found.low < 0.1
    assert found.high == pytest.approx(1)


def test_without_a_single_error_the_interval_is_open_below_only() -> None:
    found = weigh(np.zeros(20), 1 / (100 - np.arange(20)), 100, 0.9)
    assert found is not None
    assert found.accuracy == 1
    assert found.high == pytest.approx(1)
    assert 0.8 < found.low < 0.95


def test_rounds_together_are_weighed_by_their_items() -> None:
    even = 1 / (100 - np.arange(20))
    ten = weigh(np.array([1.0, 0] * 5), even[:10], 100, 0.9)
    twenty = weigh(np.zeros(20), even, 100, 0.9)
    assert ten is not None
    assert twenty is not None
    both = together([ten, twenty], 0.9)
    assert both.accuracy == pytest.approx((10 * 0.5 + 20 * 1) / 30)
    assert both.n == 30
    assert both.low < both.accuracy < both.high
