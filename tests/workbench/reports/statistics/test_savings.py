"""What choosing saved, held against curves whose answer is known."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import isotonic_regression

from workbench.reports.statistics.bootstrap import Floats, item_weights, percentile, resampled
from workbench.reports.statistics.curves import Curve, area, curve_of, highest, needed, smoothed
from workbench.reports.statistics.proportions import paired_band, wilson_band
from workbench.reports.statistics.savings import (
    Shared,
    area_difference,
    saved_at,
    saved_at_last,
    shared,
    speed_up,
)

LABELS = 20.0 * np.arange(1, 13)


def _curve(values: Floats, draws: int = 20, noise: float = 0.0) -> Curve:
    drawn = values + noise * np.random.default_rng(0).standard_normal((draws, len(values)))
    return curve_of(LABELS[: len(values)], values, drawn)


def _law(labels: Floats) -> Floats:
    return 0.95 - 0.5 * (labels / 20) ** -0.6


def _over(active: Curve, random: Curve) -> Shared:
    found = shared(active, random)
    assert found is not None
    return found


def test_the_weights_of_every_draw_sum_to_one_and_follow_from_the_seed() -> None:
    weights = item_weights(70_000, 5, seed=3)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(weights, item_weights(70_000, 5, seed=3))
    assert (weights != item_weights(70_000, 5, seed=4)).any()
    counts = weights * 70_000
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-2)
    assert counts.var() == pytest.approx(1, abs=0.05)


def test_of_a_model_that_has_all_right_no_draw_has_more_than_all() -> None:
    for items in (7, 150, 997):
        drawn = resampled(np.ones((items, 1), bool), item_weights(items, 999, seed=items))
        assert drawn.max() == 1.0
        assert drawn.min() == pytest.approx(1.0)


def test_resampled_means_scatter_as_the_theory_says() -> None:
    """The bootstrap's standard error of a share is √(p (1 − p) / n)."""
    right = np.random.default_rng(0).random((500, 2)) < [0.9, 0.6]
    draws = resampled(right, item_weights(500, 4000, seed=1))
    share = right.mean(0)
    np.testing.assert_allclose(draws.mean(0), share, atol=2e-3)
    np.testing.assert_allclose(draws.std(0), np.sqrt(share * (1 - share) / 500), rtol=0.05)


def test_seeds_that_differ_widen_what_is_drawn() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((8, 400, 3)) < rng.uniform(0.6, 0.9, (8, 1, 1))
    weights = item_weights(400, 600, seed=1)
    items_alone = resampled(right, weights)
    both = resampled(right, weights, seeds=item_weights(8, 600, seed=2))
    np.testing.assert_allclose(items_alone.mean(0), right.mean((0, 1)), atol=3e-3)
    np.testing.assert_allclose(both.mean(0), right.mean((0, 1)), atol=0.01)
    expected = right.mean(1).std(0) / np.sqrt(8)
    assert (both.std(0) > items_alone.std(0)).all()
    np.testing.assert_allclose(np.sqrt(both.var(0) - items_alone.var(0)), expected, rtol=0.25)


def test_a_percentile_interval_leaves_out_as_many_draws_as_it_says() -> None:
    assert percentile(np.arange(1.0, 1000.0), 0.9) == (50, 950)
    assert percentile(np.array([*np.zeros(99), *np.full(900, np.inf)]), 0.9) == (0, np.inf)


@pytest.mark.parametrize("seed", range(20))
def test_labels_needed_are_those_of_the_isotonic_regression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = _law(LABELS) + 0.05 * rng.standard_normal(len(LABELS))
    levels = isotonic_regression(values).x
    assert highest(values[None])[0] == pytest.approx(levels[-1])
    for target in rng.uniform(levels[0] - 0.05, levels[-1] + 0.05, 10):
        found = needed(LABELS, values[None], np.array([target]))
        if target <= levels[0]:
            assert (found.low_B[0], found.high_B[0]) == (0, LABELS[0])
        elif target > levels[-1]:
            assert (found.low_B[0], found.high_B[0]) == (LABELS[-1], np.inf)
        else:
            k = int((levels >= target).argmax())
            step = (target - levels[k - 1]) / (levels[k] - levels[k - 1])
            expected = LABELS[k - 1] + step * (LABELS[k] - LABELS[k - 1])
            assert found.low_B[0] == found.high_B[0] == pytest.approx(expected)


def test_lines_in_the_logarithm_stay_what_they_are_when_smoothed() -> None:
    line = 0.2 + 0.1 * np.log(LABELS)
    np.testing.assert_allclose(smoothed(LABELS, line[None])[0], line)


def test_the_area_is_the_mean_accuracy_between_two_numbers_of_labels() -> None:
    values = _law(LABELS)
    fine = np.linspace(30, 200, 100_001)
    expected = trapezoid(np.interp(fine, LABELS, values), fine) / 170
    assert area(LABELS, values[None], 30, 200)[0] == pytest.approx(expected, abs=1e-6)
    assert area(LABELS, np.full((1, 12), 0.7), 25, 99)[0] == pytest.approx(0.7)


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.0, 1.3, 2.0])
def test_the_speed_up_is_the_factor_between_two_curves_of_one_shape(factor: float) -> None:
    active, random = _curve(_law(LABELS * factor)), _curve(_law(LABELS))
    found = speed_up(active, random, _over(active, random), 0.9)
    assert found.value == pytest.approx(factor, rel=0.03)
    back = speed_up(random, active, _over(active, random), 0.9)
    assert back.value == pytest.approx(1 / factor, rel=0.03)


def test_a_speed_up_beyond_what_both_curves_cover_is_open() -> None:
    active, random = _curve(_law(LABELS * 40)), _curve(_law(LABELS))
    found = speed_up(active, random, _over(active, random), 0.9)
    assert found == (None, None, None)


def test_a_slow_down_beyond_what_both_curves_cover_is_open_too() -> None:
    active, random = _curve(_law(LABELS)), _curve(_law(LABELS * 40))
    assert speed_up(active, random, _over(active, random), 0.9) == (None, None, None)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_two_flat_curves_that_are_the_same_have_a_factor_of_one(share: float) -> None:
    arm = _curve(np.full(12, share))
    assert speed_up(arm, arm, _over(arm, arm), 0.95) == (1, 1, 1)


def test_what_arithmetic_leaves_of_no_difference_is_none() -> None:
    """Draws are kept in single precision, and rounds of two arms are added up in another order."""
    values = np.full(12, 0.002)
    first, second = _curve(values), _curve(values + 1e-10 * np.arange(12))
    assert speed_up(first, second, _over(first, second), 0.95) == (1, 1, 1)


def test_equal_arms_save_nothing() -> None:
    right = np.random.default_rng(2).random((300, 12)) < _law(LABELS)
    draws = resampled(right, item_weights(300, 199, seed=1))
    arm = curve_of(LABELS, right.mean(0), draws)
    over = _over(arm, arm)
    assert area_difference(arm, arm, over, 0.9) == (0, 0, 0)
    assert saved_at_last(arm, arm, over, 0.9) == (0, 0, 0)
    assert speed_up(arm, arm, over, 0.9) == (1, 1, 1)


def test_labels_saved_are_the_distance_between_the_curves_at_the_target() -> None:
    active, random = _curve(0.2 + 0.12 * np.log(LABELS)), _curve(0.1 + 0.12 * np.log(LABELS))
    at = np.exp((0.6 - np.array([0.1, 0.2])) / 0.12)
    found = saved_at(active, random, 0.6, 0.9)
    assert found.value == pytest.approx(at[0] - at[1], abs=1.5)
    assert found.low == pytest.approx(found.value) == found.high


def test_a_target_that_random_never_reaches_saves_at_least_the_rest() -> None:
    active, random = _curve(_law(LABELS * 2)), _curve(_law(LABELS))
    target = float((_law(LABELS[-1:]) + _law(2 * LABELS[-1:]))[0] / 2)
    found = saved_at(active, random, target, 0.9)
    assert found.value is None
    assert found.high is None
    assert found.low is not None
    assert 0 < found.low < LABELS[-1]


def test_a_target_that_nobody_reaches_says_nothing() -> None:
    active, random = _curve(_law(LABELS * 2)), _curve(_law(LABELS))
    assert saved_at(active, random, 0.99, 0.9) == (None, None, None)


def test_the_wider_the_level_the_wider_the_interval() -> None:
    active, random = _curve(_law(LABELS * 1.5), 999, 0.01), _curve(_law(LABELS), 999, 0.01)
    over = _over(active, random)
    for measure in (area_difference, speed_up, saved_at_last):
        narrow, wide = measure(active, random, over, 0.8), measure(active, random, over, 0.99)
        assert None not in {*narrow, *wide}
        assert wide.low < narrow.low <= narrow.high < wide.high  # type: ignore[operator]


def test_arms_without_common_labels_are_not_compared() -> None:
    early = curve_of(np.array([10, 20]), np.array([0.5, 0.6]), np.full((3, 2), 0.5))
    late = curve_of(np.array([30, 40]), np.array([0.5, 0.6]), np.full((3, 2), 0.5))
    assert shared(early, late) is None
    assert shared(early, early.upto(10)) is None


def test_rounds_with_as_many_labels_are_one_and_rounds_without_any_none() -> None:
    found = curve_of(np.array([0, 40, 20, 40]), np.array([0.1, 0.8, 0.5, 0.6]), np.zeros((2, 4)))
    np.testing.assert_allclose(found.labels_R, [20, 40])
    np.testing.assert_allclose(found.point_R, [0.5, 0.7])


def test_wilsons_interval_is_that_of_a_second_implementation() -> None:
    from scipy.stats import binomtest

    for right, n, level in ((81, 263, 0.95), (15, 148, 0.9), (0, 20, 0.99), (29, 29, 0.95)):
        expected = binomtest(right, n).proportion_ci(level, method="wilson")
        band = wilson_band(np.array([right / n]), np.array([float(n)]), level)
        np.testing.assert_allclose([band.low_R[0], band.high_R[0]], [expected.low, expected.high], atol=1e-12)


def test_the_paired_interval_is_newcombes() -> None:
    """Newcombe 1998, method 10, 95 %: 36 both right, 12 only the first, 2 only the second, 0 neither."""
    band = paired_band(np.array([36 / 50]), np.array([48 / 50]), np.array([38 / 50]), 50, 0.95)
    assert (round(band.low_R[0], 4), round(band.high_R[0], 4)) == (0.0569, 0.3404)
