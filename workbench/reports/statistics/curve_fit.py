"""Fit all families of curves at once, and draw curves in proportion to how well they explain the points.

accuracy(n) of a curve is linear in its ceiling a and start w, so for given numbers of the shape and given
noise these are a normal distribution, cut off to 0 ≤ w ≤ a ≤ 1, and the likelihood of the points has a
closed form. A grid over shapes and noises finds where the likelihood is; curves are then drawn around it,
each weighted with its own exact likelihood (importance sampling): what remains open stays open.

Noise has two sources: the held-out items (``overlap.covariance``) and the training, whose runs scatter by a
standard deviation τ that the points themselves tell, so that a curve that jumps widens its own band.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from workbench.reports.statistics.overlap import covariance, smoothed
from workbench.reports.statistics.power_law import Columns
from workbench.reports.statistics.truncated import truncated_normal

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
#: Scatter of a training run, and how likely each is beforehand: half-Cauchy of 0.3 points of accuracy.
SCATTERS = 0.001 * 2.0 ** np.arange(8)
USUAL_SCATTER = 0.003
#: Overlaps that are tried where it is not known.
OVERLAPS = (0.3, 0.6, 0.9)
#: More rounds than these are put together with their neighbours.
MOST_POINTS = 50
#: Ceiling and start before any point is seen: nearly even between 0 and 1.
MIDDLE, WIDTH = 0.5, 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Measured shares of R rounds, or of groups of neighbouring ones where there are many.

    Attributes:
        unit: Labels of the newest round: ``x_R`` is in units of it.
        share_R: Smoothed values, for variances.
        n_R: Items measured on.
        rounds_R: How many rounds each stands for.
    """

    unit: float
    x_R: Floats
    value_R: Floats
    share_R: Floats
    n_R: Floats
    rounds_R: Floats

    @property
    def first(self) -> float:
        """The fewest labels."""
        return float(self.x_R.min())


class Noise(NamedTuple):
    """One possible noise: its covariance factor and how likely it is beforehand."""

    overlap: float
    scatter: float
    factor: tuple[Floats, bool]
    log_determinant: float
    log_prior: float


class Fit(NamedTuple):
    """Normal distributions of (ceiling, start) of P curves, and the logarithm of their likelihood."""

    mean_P_2: Floats
    cov_P_2_2: Floats
    log_evidence_P: Floats


def points_of(labels: Floats, right: Floats, n: Floats) -> Points:
    """Put rounds into the units of the fit, oldest first; neighbours of many are put together."""
    order = np.argsort(labels, kind="stable")
    labels, right, n = labels[order], right[order], n[order]
    group_R = _groups(labels)
    rounds_G = np.bincount(group_R).astype(np.float64)
    means = [np.bincount(group_R, values) / rounds_G for values in (labels, right / n, n)]
    share_G = np.bincount(group_R, smoothed(right, n)) / rounds_G
    unit = float(labels[-1])
    return Points(
        unit=unit, x_R=means[0] / unit, value_R=means[1], share_R=share_G, n_R=means[2], rounds_R=rounds_G
    )


def _groups(labels_R: Floats) -> Ints:
    """Number the group of each round: its own where there are few, else evenly in the logarithm."""
    if len(labels_R) <= MOST_POINTS:
        return np.arange(len(labels_R))
    edges = np.geomspace(labels_R[0], labels_R[-1], MOST_POINTS)
    # The newest round stays alone: the forecast starts from it.
    place_R = np.searchsorted(edges, labels_R, side="right")
    return np.asarray(np.unique(place_R, return_inverse=True)[1], dtype=np.intp)


def noises(points: Points, overlap: float | None) -> list[Noise]:
    """Make every noise that is to be tried."""
    prior = SCATTERS / (1 + (SCATTERS / USUAL_SCATTER) ** 2)
    found = []
    for tried in OVERLAPS if overlap is None else (overlap,):
        sampling = covariance(points.share_R, points.n_R, tried, points.rounds_R)
        for scatter, weight in zip(SCATTERS, prior / prior.sum(), strict=True):
            whole = sampling + np.diag(scatter**2 / points.rounds_R)
            factor = cho_factor(whole, lower=True)
            log_determinant = 2 * float(np.log(np.diag(factor[0])).sum())
            found.append(Noise(tried, float(scatter), factor, log_determinant, float(np.log(weight))))
    return found


def fit(points: Points, parts: Columns, noise: Noise) -> Fit:
    """Fit ceiling and start of P shapes by generalised least squares; around the middle of the prior."""
    n_shapes = len(parts.ceiling)
    residual_P_R = points.value_R - MIDDLE * (parts.ceiling + parts.start)
    white_R_3P = cho_solve(noise.factor, np.concatenate([*parts, residual_P_R]).T, check_finite=False)
    ceiling_P_R, start_P_R, white_P_R = white_R_3P.T.reshape(3, n_shapes, -1)
    precision_P_2_2 = np.empty((n_shapes, 2, 2))
    precision_P_2_2[:, 0, 0] = _dot(parts.ceiling, ceiling_P_R) + WIDTH**-2
    precision_P_2_2[:, 0, 1] = precision_P_2_2[:, 1, 0] = _dot(parts.ceiling, start_P_R)
    precision_P_2_2[:, 1, 1] = _dot(parts.start, start_P_R) + WIDTH**-2
    pull_P_2 = np.stack([_dot(parts.ceiling, white_P_R), _dot(parts.start, white_P_R)], axis=1)
    cov_P_2_2 = np.linalg.inv(precision_P_2_2)
    offset_P_2 = np.einsum("pij,pj->pi", cov_P_2_2, pull_P_2)
    chi_P = _dot(residual_P_R, white_P_R) - (pull_P_2 * offset_P_2).sum(1)
    log_evidence_P = (
        noise.log_prior - (chi_P + noise.log_determinant + np.log(np.linalg.det(precision_P_2_2))) / 2
    )
    return Fit(MIDDLE + offset_P_2, np.asarray(cov_P_2_2, np.float64), log_evidence_P)


def _dot(first_P_R: Floats, second_P_R: Floats) -> Floats:
    return np.asarray((first_P_R * second_P_R).sum(1))


class Ends(NamedTuple):
    """Ceilings and starts of P curves, and the logarithm of the mass that is allowed."""

    ceiling_P: Floats
    start_P: Floats
    log_mass_P: Floats


def draw_ends(found: Fit, at_P_2: Floats) -> Ends:
    """Draw the ceiling, then the start below it, from normals cut off to 0 ≤ start ≤ ceiling ≤ 1."""
    ceiling_error_P = np.sqrt(found.cov_P_2_2[:, 0, 0])
    zero_P, one_P = np.zeros(len(at_P_2)), np.ones(len(at_P_2))
    ceiling = truncated_normal(found.mean_P_2[:, 0], ceiling_error_P, zero_P, one_P, at_P_2[:, 0])
    slope_P = found.cov_P_2_2[:, 0, 1] / found.cov_P_2_2[:, 0, 0]
    mean_P = found.mean_P_2[:, 1] + slope_P * (ceiling.value - found.mean_P_2[:, 0])
    left_P = found.cov_P_2_2[:, 1, 1] - slope_P * found.cov_P_2_2[:, 0, 1]
    error_P = np.sqrt(np.maximum(left_P, 1e-24))
    start = truncated_normal(mean_P, error_P, zero_P, np.maximum(ceiling.value, 1e-9), at_P_2[:, 1])
    return Ends(ceiling.value, start.value, ceiling.log_mass + start.log_mass)
