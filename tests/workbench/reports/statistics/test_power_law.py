"""Families of curves, cut-off normals and shared errors, each against another way to compute it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal, truncnorm

from workbench.reports.statistics.curve_fit import draw_ends, fit, noises, points_of
from workbench.reports.statistics.overlap import covariance, overlap_of
from workbench.reports.statistics.power_law import FAMILIES, columns, labels_where, shapes_at
from workbench.reports.statistics.truncated import truncated_normal


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    family=st.sampled_from(range(len(FAMILIES))),
    places=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    ceiling=st.floats(0.5, 1),
    start=st.floats(0, 0.45),
    share=st.floats(0.01, 0.9),
)
def test_a_curve_rises_from_its_start_to_its_ceiling_and_is_its_own_inverse(
    family: int, places: list[float], ceiling: float, start: float, share: float
) -> None:
    shapes, first = shapes_at(np.array([family]), np.array([places])), 0.05
    x = np.geomspace(first, 1e3, 50)
    parts = columns(shapes, first, x)
    curve = (ceiling * parts.ceiling + start * parts.start)[0]
    assert (np.diff(curve) >= -1e-12).all()
    assert curve.max() <= ceiling + 1e-12
    if not FAMILIES[family].tied:
        assert curve[0] == pytest.approx(start, abs=1e-9)
    target = curve[0] + share * (ceiling - curve[0])
    where = labels_where(shapes, first, np.array([ceiling]), np.array([start]), np.array([target]))
    if np.isfinite(where[0]) and where[0] < 1e9:
        parts = columns(shapes, first, where)
        assert (ceiling * parts.ceiling + start * parts.start)[0, 0] == pytest.approx(target, abs=1e-6)
    beyond = labels_where(shapes, first, np.array([ceiling]), np.array([start]), np.array([ceiling + 0.001]))
    assert np.isinf(beyond[0])


def test_the_palm_curve_is_the_one_of_its_paper() -> None:
    most, delta, alpha, beta, batch = 0.9, 0.1, 1.5, 0.8, 50.0
    budget = np.array([100.0, 500.0, 2000.0])
    paper = most * (1 - (1 - delta) ** ((budget / batch + alpha) ** beta))
    scale = batch * (-np.log(1 - delta)) ** (-1 / beta)
    left = FAMILIES[-1].left(budget[None], np.array([[scale, beta, alpha * batch]]))
    assert (most * (1 - left))[0] == pytest.approx(paper)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    mean=st.floats(-3, 4),
    error=st.floats(0.01, 2),
    low=st.floats(0, 0.5),
    width=st.floats(0.01, 1),
    at=st.floats(0.001, 0.999),
)
def test_a_cut_off_normal_agrees_with_scipy(
    mean: float, error: float, low: float, width: float, at: float
) -> None:
    high = low + width
    found = truncated_normal(*(np.array([v]) for v in (mean, error, low, high, at)))
    theirs = truncnorm((low - mean) / error, (high - mean) / error, loc=mean, scale=error)
    assert low <= found.value[0] <= high
    if abs((mean - low) / error) < 8:
        assert found.value[0] == pytest.approx(theirs.ppf(at), abs=1e-6)


@pytest.mark.parametrize("mean", [-1e5, -50.0, 50.0, 1e5])
def test_far_out_in_a_tail_nothing_overflows(mean: float) -> None:
    found = truncated_normal(*(np.array([v]) for v in (mean, 0.1, 0.0, 1.0, 0.5)))
    assert 0 <= found.value[0] <= 1
    assert abs(found.value[0] - (0 if mean < 0 else 1)) < 0.01
    assert np.isfinite(found.log_mass[0])


@pytest.mark.parametrize("family", range(len(FAMILIES)))
def test_the_likelihood_of_a_shape_is_the_integral_over_its_ceiling_and_start(family: int) -> None:
    labels, right, n = np.array([20.0, 40, 80]), np.array([50.0, 62, 68]), np.full(3, 100.0)
    points = points_of(labels, right, n)
    noise = noises(points, 0.5)[4]
    shapes = shapes_at(np.array([family]), np.full((1, 3), 0.4))
    parts = columns(shapes, points.first, points.x_R)
    found = fit(points, parts, noise)
    # Many evenly spaced places make the mean of the mass, ceiling by ceiling.
    at = np.stack([(np.arange(4000) + 0.5) / 4000, np.full(4000, 0.5)], axis=1)
    many = type(found)(*(np.repeat(part, 4000, axis=0) for part in found))
    mass = np.exp(draw_ends(many, at).log_mass_P).mean()
    ours = np.exp(found.log_evidence_P[0] - noise.log_prior) * mass

    cov = covariance(points.share_R, points.n_R, 0.5, points.rounds_R) + noise.scatter**2 * np.eye(3)
    likelihood = multivariate_normal(cov=cov)
    prior = multivariate_normal(mean=[0.5, 0.5], cov=np.eye(2))

    def density(start: float, ceiling: float) -> float:
        curve = ceiling * parts.ceiling[0] + start * parts.start[0]
        return float(likelihood.pdf(points.value_R - curve) * prior.pdf([ceiling, start]))

    theirs = dblquad(density, 0, 1, 0, lambda ceiling: ceiling, epsabs=1e-10)[0]
    # Constants that all shapes and noises share are left out of ours.
    assert ours == pytest.approx(theirs * (2 * np.pi) ** 1.5, rel=0.01)


def test_the_shared_error_is_what_resampling_the_items_gives() -> None:
    rng = np.random.default_rng(3)
    easy = rng.random((1, 4000))
    shares = np.array([0.6, 0.7, 0.8, 0.85])[:, None]
    hits = np.where(rng.random((4, 4000)) < 0.7, easy, rng.random((4, 4000))) < shares
    drawn = rng.integers(0, 4000, (1500, 4000))
    seen = np.cov(np.stack([hits[:, rows].mean(1) for rows in drawn]).T)
    found = overlap_of(hits)
    assert found is not None
    expected = covariance(hits.mean(1), np.full(4, 4000.0), found, np.ones(4))
    assert seen == pytest.approx(expected, abs=0.15 * expected.max())


def test_errors_in_order_overlap_wholly_and_independent_ones_not() -> None:
    rng = np.random.default_rng(4)
    easy, shares = rng.random(20_000), np.array([0.5, 0.7, 0.9])[:, None]
    assert overlap_of(easy < shares) == pytest.approx(0.98)
    assert overlap_of(rng.random((3, 20_000)) < shares) == pytest.approx(0, abs=0.02)
    assert overlap_of((easy < shares)[:1]) is None
    assert overlap_of(np.ones((3, 10), bool)) is None
    assert overlap_of(np.ones((3, 0), bool)) is None
