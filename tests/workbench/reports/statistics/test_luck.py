"""Luck of batches and training, held against arms that differ by luck alone and by a known amount."""

import os

import numpy as np
import pytest
from scipy.special import ndtr

from workbench.reports.statistics.bootstrap import Floats
from workbench.reports.statistics.curves import curve_of
from workbench.reports.statistics.luck import MOST_ROUNDS, Luck, luck_of, thinned, with_luck
from workbench.reports.statistics.savings import Shared, area_difference, area_difference_of_runs

PROJECTS = int(os.environ.get("COVERAGE_PROJECTS", "200"))
LABELS = np.linspace(40, 400, 10, dtype=np.float64)


def _gaps(rng: np.random.Generator, projects: int, lasting: float, jump: float, items: int) -> Floats:
    """Differences of two arms of batches drawn at random: luck that grows stale as labels are added."""
    steps = rng.standard_normal((projects, 2, len(LABELS))) * np.sqrt(np.diff(LABELS, prepend=0))
    mean_of_labels = lasting * np.cumsum(steps, axis=2) / np.sqrt(LABELS)
    own = jump * rng.standard_normal(mean_of_labels.shape)
    sampled = np.sqrt(0.1 / items) * rng.standard_normal((projects, len(LABELS)))
    luck = mean_of_labels + own
    return np.asarray(luck[:, 0] - luck[:, 1] + sampled, np.float64)


@pytest.mark.parametrize(("lasting", "jump"), [(0.01, 0.0), (0.015, 0.003), (0.003, 0.01)])
def test_arms_that_differ_by_luck_alone_are_seldom_said_to_differ(lasting: float, jump: float) -> None:
    gaps = _gaps(np.random.default_rng(1), PROJECTS, lasting, jump, 2000)
    weight, covariance = np.full(len(LABELS), 0.1), 0.1 / 2000 * np.eye(len(LABELS))
    variance = float(weight @ covariance @ weight)
    ends = [
        with_luck(float(gap @ weight), variance, luck_of(LABELS, gap, covariance, weight), 0.95)
        for gap in gaps
    ]
    shown = np.mean([low > 0 or high < 0 for low, high in ends])
    # 5 % is what is said, and how large luck is has to be guessed from ten rounds.
    assert shown <= 0.08
    assert np.mean(np.abs(gaps @ weight) > 1.96 * np.sqrt(variance)) > 0.3


def test_what_is_larger_than_luck_is_shown() -> None:
    gaps = _gaps(np.random.default_rng(2), 40, 0.005, 0.002, 2000) + 0.05
    weight, covariance = np.full(len(LABELS), 0.1), 0.1 / 2000 * np.eye(len(LABELS))
    low = [with_luck(float(g @ weight), 5e-6, luck_of(LABELS, g, covariance, weight), 0.95).low for g in gaps]
    assert np.mean(np.array(low) > 0) > 0.9


def test_luck_of_one_known_size_gives_the_normal_interval() -> None:
    low, high = with_luck(0.1, 0.0003, Luck(np.array([0.0001]), np.array([1.0])), 0.95)
    assert (low, high) == pytest.approx((0.1 - 1.959964 * 0.02, 0.1 + 1.959964 * 0.02), abs=1e-6)


def test_the_interval_with_luck_holds_the_one_without() -> None:
    rng = np.random.default_rng(0)
    active, random = (
        curve_of(LABELS, mean + 0.01 * rng.standard_normal(10), mean + 0.01 * rng.standard_normal((199, 10)))
        for mean in (np.linspace(0.6, 0.9, 10), np.linspace(0.55, 0.85, 10))
    )
    over = Shared(40.0, 400.0)
    plain = area_difference(active, random, over, 0.95)
    luck = area_difference_of_runs(active, random, over, 0.95)
    assert luck.value == plain.value
    assert luck.low < plain.low < plain.high < luck.high  # type: ignore[operator]


@pytest.mark.parametrize("rounds", [2, 3, 4, 200])
def test_any_number_of_rounds_will_do(rounds: int) -> None:
    labels = 40.0 * np.arange(1, rounds + 1)
    arm = curve_of(labels, np.full(rounds, 0.8), np.full((9, rounds), 0.8))
    found = area_difference_of_runs(arm, arm, Shared(40.0, 40.0 * rounds), 0.95)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high, abs=1e-9)  # type: ignore[operator]
    assert 0 < found.high < 0.2  # type: ignore[operator]


def test_many_rounds_are_thinned_and_both_ends_stay() -> None:
    few = thinned(np.linspace(0, 199, 200, dtype=np.float64))
    assert len(few) == MOST_ROUNDS
    assert (few[0], few[-1]) == (0, 199)
    assert len(thinned(np.linspace(0, 6, 7, dtype=np.float64))) == 7


@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_an_interval_with_luck_leaves_out_what_is_asked_for(level: float) -> None:
    luck = Luck(np.array([0.0, 1e-6, 4e-4]), np.array([0.2, 0.5, 0.3]))
    low, high = with_luck(0.25, 1e-4, luck, level)
    assert (low + high) / 2 == pytest.approx(0.25)
    outside = 2 * luck.share_P @ ndtr(-(high - 0.25) / np.sqrt(1e-4 + luck.variance_P))
    assert outside == pytest.approx(1 - level, rel=1e-9)
