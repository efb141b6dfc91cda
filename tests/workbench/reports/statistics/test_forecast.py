"""A continued curve holds the truth as often as it says, within the rounds and at twice their labels.

``FORECAST_PROJECTS=2000`` is the long form, with the limits of 88 and 92 of 100; the short form takes as many
projects as a minute allows, and the limits of chance.
"""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import curve_fit, isotonic_regression

from tests.workbench.reports.statistics.simulated import hits
from workbench.reports.statistics.forecast import Curves, band_of, fit_curve
from workbench.reports.statistics.overlap import overlap_of, rising

PROJECTS = int(os.environ.get("FORECAST_PROJECTS", "240"))
LONG = PROJECTS >= 2000
pytestmark = pytest.mark.timeout(3600) if LONG else []
BATCH = 20.0
PLACES = ("in the middle", "at the last round", "at 1.5 times its labels", "at twice its labels")


class Project(NamedTuple):
    """A power law a − b (n / 20)^−c, measured in rounds of 20 labels on the same items."""

    labels_R: NDArray[Any]
    right_N_R: NDArray[np.bool_]
    a: float
    b: float
    c: float

    def truth(self, labels: Any) -> NDArray[Any]:
        return np.asarray(self.a - self.b * (np.asarray(labels) / BATCH) ** -self.c)


def _projects(count: int, seed: int) -> Iterator[Project]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        rounds, items = int(rng.integers(5, 21)), int(np.exp(rng.uniform(np.log(150), np.log(2000))))
        a, c = rng.uniform(0.75, 0.98), np.exp(rng.uniform(np.log(0.25), np.log(1.2)))
        b, jump = a * rng.uniform(0.3, 0.8), rng.choice([0, 0.003, 0.01])
        labels_R = BATCH * np.arange(1, rounds + 1)
        found = Project(labels_R, np.empty((0, 0), bool), a, b, c)
        shares_R = np.clip(found.truth(labels_R) + jump * rng.standard_normal(rounds), 0.02, 0.995)
        yield found._replace(right_N_R=hits(rng, shares_R, items, rng.choice([0.3, 0.6, 0.9])))


def _fitted(project: Project, overlap: float | None, draws: int = 400) -> Curves:
    right_R, items = project.right_N_R.sum(0), len(project.right_N_R)
    found = fit_curve(project.labels_R, right_R, [items] * len(right_R), overlap=overlap, draws=draws)
    assert found is not None
    return found


def _holds(project: Project, curves: Curves) -> NDArray[np.bool_]:
    last = project.labels_R[-1]
    places = [project.labels_R[len(project.labels_R) // 2], last, 1.5 * last, 2 * last]
    band, truth = curves.band(places), project.truth(places)
    return np.asarray((band.low <= truth) & (truth <= band.high))


@pytest.fixture(scope="module")
def held() -> NDArray[Any]:
    """Of every project and place, whether the 90 % band held the truth."""
    rows = [_holds(p, _fitted(p, overlap_of(p.right_N_R.T))) for p in _projects(PROJECTS, seed=5)]
    return np.array(rows)


@pytest.mark.parametrize("place", PLACES)
def test_a_90_percent_band_holds_the_truth_in_88_to_92_of_100(place: str, held: NDArray[Any]) -> None:
    share = held[:, PLACES.index(place)].mean()
    chance = 0.0 if LONG else 2.6 * np.sqrt(0.9 * 0.1 / len(held))
    assert 0.88 - chance <= share <= 0.92 + chance


def test_half_of_all_projects_lie_above_the_middle_and_the_target_is_reached_inside_its_interval() -> None:
    inside, above = [], []
    for project in _projects(PROJECTS // 2, seed=6):
        curves = _fitted(project, overlap_of(project.right_N_R.T))
        labels = 1.6 * project.labels_R[-1]
        reached_D = curves.reaching(float(project.truth(labels)))
        low, high = np.quantile(reached_D, [0.1, 0.9], method="inverted_cdf")
        inside.append(low <= labels <= high)
        above.append(project.truth(labels) > np.median(curves.at([labels])))
    chance = 2.6 / np.sqrt(len(inside))
    assert abs(np.mean(inside) - 0.8) < 0.02 + 0.4 * chance
    assert abs(np.mean(above) - 0.5) < 0.12 + 0.5 * chance


def test_where_the_points_say_nothing_a_high_ceiling_is_more_likely_than_a_low_one() -> None:
    curves = fit_curve([10, 20, 30], [1, 1, 1], [2, 2, 2], overlap=0.5)
    assert curves is not None
    low, middle = np.quantile(curves.ceilings, [0.1, 0.5])
    assert low > 0.45
    assert middle > 0.73


def test_a_measurement_to_come_lies_in_its_band() -> None:
    inside = []
    for project in _projects(PROJECTS // 2, seed=7):
        rounds = len(project.labels_R) - 1
        before = project._replace(labels_R=project.labels_R[:rounds], right_N_R=project.right_N_R[:, :rounds])
        curves = _fitted(before, overlap_of(before.right_N_R.T))
        low, _, high = band_of(curves.measured_at(project.labels_R[-1:]), 0.9)
        came = project.right_N_R[:, -1].mean()
        inside.append(low[0] <= came <= high[0])
    chance = 2.6 * np.sqrt(0.9 * 0.1 / len(inside))
    assert 0.88 - chance <= np.mean(inside) <= 0.95 + chance


def test_known_parameters_are_recovered_where_the_rounds_are_many_and_precise() -> None:
    labels = np.geomspace(20, 400, 40)
    truth = 0.95 - 0.6 * (labels / 20) ** -0.5
    curves = fit_curve(labels, truth * 1e6, np.full(40, 1e6), overlap=0.0)
    assert curves is not None
    assert np.median(curves.ceilings) == pytest.approx(0.95, abs=0.04)
    assert np.median(curves.at([1600])) == pytest.approx(0.95 - 0.6 * 80**-0.5, abs=0.015)
    assert np.quantile(curves.reaching(0.85), 0.5, method="inverted_cdf") == pytest.approx(720, rel=0.15)
    assert curves.scatter < 0.003


def test_the_middle_agrees_with_least_squares_where_nothing_is_open() -> None:
    labels = np.arange(20, 820, 20)
    truth = 0.92 - 0.5 * (labels / 20) ** -0.8
    rng = np.random.default_rng(2)
    measured = truth + 0.002 * rng.standard_normal(len(labels))
    curves = fit_curve(labels, measured * 20_000, np.full(len(labels), 20_000), overlap=0.0)
    (a, b, c), _ = curve_fit(lambda n, a, b, c: a - b * (n / 20) ** -c, labels, measured, p0=(0.9, 0.5, 0.5))
    assert curves is not None
    at = [400, 800, 1200]
    assert np.median(curves.at(at), axis=0) == pytest.approx(a - b * (np.array(at) / 20) ** -c, abs=0.006)


CASES: dict[str, tuple[Any, Any, Any]] = {
    "three rounds": ([10, 20, 30], [5, 6, 7], [10, 10, 10]),
    "all equal": ([10, 20, 30, 40], [50] * 4, [100] * 4),
    "never right": ([10, 20, 30], [0] * 3, [100] * 3),
    "always right": ([10, 20, 30], [100] * 3, [100] * 3),
    "falling": (range(20, 220, 20), np.linspace(9000, 1000, 10), [10_000] * 10),
    "the same labels twice": ([10, 10, 20, 20, 30], [50, 60, 70, 65, 80], [100] * 5),
    "out of order": ([30, 10, 20], [70, 50, 60], [100] * 3),
    "huge counts": ([10**6, 10**8, 10**9, 10**12], [50, 60, 70, 80], [100] * 4),
    "one item": ([1, 2, 3], [0, 1, 1], [1, 1, 1]),
    "a million items": ([10, 20, 30, 40], [5e5, 6e5, 6.5e5, 6.7e5], [10**6] * 4),
    "a jump": ([10, 20, 30, 40, 50, 60], [30, 30, 31, 30, 90, 91], [100] * 6),
    "a dip": (range(20, 220, 20), [50, 60, 70, 30, 75, 78, 80, 81, 82, 82], [100] * 10),
    "noise": (range(20, 420, 20), np.random.default_rng(0).integers(0, 1000, 20), [1000] * 20),
    "a plateau": (range(20, 420, 20), [800] * 20, [1000] * 20),
    "other items each round": ([10, 20, 30, 40], [5, 12, 3, 40], [10, 20, 5, 50]),
    "rounds without labels and without items": ([0, 10, 20, 30, 40], [1, 5, 6, 7, 0], [10, 10, 10, 10, 0]),
    "two hundred rounds": (range(600, 120_600, 600), np.linspace(1200, 1900, 200), [2000] * 200),
}


@pytest.mark.parametrize("overlap", [None, 0.0, 0.9])
@pytest.mark.parametrize("case", CASES)
def test_whatever_was_measured_curves_rise_within_0_and_1(case: str, overlap: float | None) -> None:
    labels, right, n = CASES[case]
    curves = fit_curve(list(labels), right, n, overlap=overlap, draws=300)
    assert curves is not None
    most = max(labels)
    found = curves.at(np.geomspace(max(1, min(labels)), 20 * most, 40))
    assert found.shape == (300, 40)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12
    assert np.diff(found, axis=1).min() >= -1e-9
    measured = curves.measured_at([most, 2 * most])
    assert ((measured >= 0) & (measured <= 1)).all()
    reached = curves.reaching(0.8)
    known = np.flatnonzero(
        np.isfinite(reached) & (reached > 1.001 * curves.points.first * curves.points.unit)
    )[:50]
    at = [curves.at([reached[row]])[row, 0] for row in known]
    assert at == pytest.approx([0.8] * len(known), abs=1e-6)


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_fewer_than_three_different_numbers_of_labels_give_no_curve(rounds: int) -> None:
    labels = [10, 20][:rounds] * 3
    assert fit_curve(labels, [5] * len(labels), [10] * len(labels)) is None


def test_a_curve_that_breaks_the_law_widens_its_own_band() -> None:
    labels, n = np.arange(20, 220, 20), np.full(10, 1000)
    smooth = 1000 * (0.9 - 0.5 * (labels / 20) ** -0.6)
    dipped = smooth.copy()
    dipped[4] -= 250
    widths, scatters = [], []
    for right in (smooth, dipped):
        curves = fit_curve(labels, right, n, overlap=0.6)
        assert curves is not None
        band = curves.band([400])
        widths.append(band.high[0] - band.low[0])
        scatters.append(curves.scatter)
    assert widths[1] > 1.5 * widths[0]
    assert scatters[1] > 0.03 > scatters[0]


def test_the_same_points_give_the_same_curves_in_any_order() -> None:
    labels, right, n = [20, 40, 60, 80], [50, 61, 67, 70], [100] * 4
    first, second = (fit_curve(labels, right, n, overlap=0.5) for _ in range(2))
    turned = fit_curve(labels[::-1], right[::-1], n, overlap=0.5)
    assert first is not None
    assert second is not None
    assert turned is not None
    assert np.array_equal(first.at([100, 200]), second.at([100, 200]))
    assert np.allclose(first.at([100, 200]), turned.at([100, 200]))


@pytest.mark.parametrize("rounds", [1, 2, 3, 50, 200])
def test_rising_shares_are_those_of_isotonic_regression(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    items = rng.integers(1, 300, rounds).astype(np.float64)
    right = rng.binomial(items.astype(int), np.linspace(0.3, 0.6, rounds)).astype(np.float64)
    expected = isotonic_regression(right / items, weights=items).x
    np.testing.assert_allclose(rising(right, items), expected, rtol=1e-12, atol=1e-15)
