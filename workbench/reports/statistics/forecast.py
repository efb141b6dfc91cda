"""Where a learning curve is going: draws of whole curves that explain the points, and what they say.

The draws are curves of several families (``power_law``), each as likely as the points make it
(``curve_sampling``): quantiles over them are bands that hold the uncertainty of the measurement, of the
shape and of the family. They follow from a seed: the same points give the same bands.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_solve

from workbench.reports.statistics.curve_fit import Noise, Points, noises, points_of
from workbench.reports.statistics.curve_sampling import Sample, sample
from workbench.reports.statistics.overlap import nested
from workbench.reports.statistics.power_law import FAMILIES, columns, labels_where

Floats = NDArray[np.float64]
#: Different numbers of labels that a curve needs at least.
LEAST_POINTS = 3
LEVEL = 0.9


class Band(NamedTuple):
    """A central interval and the median at each of L numbers of labels."""

    low: Floats
    middle: Floats
    high: Floats


def band_of(values_D_L: Floats, level: float = LEVEL) -> Band:
    """Compute the central interval of draws."""
    tail = (1 - level) / 2
    return Band(*np.quantile(values_D_L, [tail, 0.5, 1 - tail], axis=0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """D equally likely curves through the points; each rises and stays between 0 and 1."""

    points: Points
    noises: tuple[Noise, ...]
    drawn: Sample
    seed: int

    @property
    def ceilings(self) -> Floats:
        """What each curve reaches with labels without end, [D]."""
        return self.drawn.ceiling_D

    def at(self, labels_L: ArrayLike) -> Floats:
        """The accuracy of every curve at so many labels, [D, L]; those before the first count as it."""
        x_L = np.maximum(np.asarray(labels_L, np.float64) / self.points.unit, self.points.first)
        parts = columns(self.drawn.shapes, self.points.first, x_L)
        return np.asarray(
            self.drawn.ceiling_D[:, None] * parts.ceiling + self.drawn.start_D[:, None] * parts.start
        )

    def band(self, labels_L: ArrayLike, level: float = LEVEL) -> Band:
        """The central interval of the accuracy at so many labels."""
        return band_of(self.at(labels_L), level)

    def measured_at(self, labels_L: ArrayLike) -> Floats:
        """What would be measured there on the same held-out items, [D, L].

        The items' errors as far as the points tell them stay (kriging); training scatters anew.
        """
        true_D_L = self.at(labels_L)
        residual_D_R = self.points.value_R - self.at(self.points.x_R * self.points.unit)
        middle_L = np.clip(np.median(true_D_L, axis=0), 1e-6, 1 - 1e-6)
        normal_D = np.random.default_rng(self.seed + 1).standard_normal(len(true_D_L))
        found_D_L = np.empty_like(true_D_L)
        for number in np.unique(self.drawn.noise_D):
            rows = self.drawn.noise_D == number
            new = new_errors(self.points, self.noises[number], residual_D_R[rows], middle_L)
            found_D_L[rows] = true_D_L[rows] + new.mean_D_L + normal_D[rows, None] * new.error_L
        return np.clip(found_D_L, 0.0, 1.0)

    @property
    def scatter(self) -> float:
        """By how much rounds scatter around any rising curve beyond what their items explain: the median."""
        return float(np.median([self.noises[number].scatter for number in self.drawn.noise_D]))

    def reaching(self, target: ArrayLike) -> Floats:
        """Labels at which each curve reaches an accuracy, or its own of [D]; infinity where it never does."""
        drawn = self.drawn
        target_D = np.broadcast_to(np.asarray(target, np.float64), drawn.ceiling_D.shape)
        found_D = labels_where(drawn.shapes, self.points.first, drawn.ceiling_D, drawn.start_D, target_D)
        return found_D * self.points.unit

    def families(self) -> dict[str, float]:
        """How likely each family is, the likeliest first."""
        share_F = np.bincount(self.drawn.shapes.family_P, minlength=len(FAMILIES)) / len(self.ceilings)
        return {FAMILIES[place].name: float(share_F[place]) for place in np.argsort(-share_F, kind="stable")}


class NewErrors(NamedTuple):
    """Means and standard deviation of the errors of new measurements, given the residuals of D curves."""

    mean_D_L: Floats
    error_L: Floats


def new_errors(points: Points, noise: Noise, residual_D_R: Floats, middle_L: Floats) -> NewErrors:
    """Compute what the old rounds' errors tell of new ones at accuracies ``middle_L``."""
    n = float(points.n_R[-1])
    shared_L_R = noise.overlap * nested(middle_L, points.share_R) / np.sqrt(n * points.n_R)
    known_R_L = cho_solve(noise.factor, shared_L_R.T)
    own_L = middle_L * (1 - middle_L) / n + noise.scatter**2
    left_L = np.maximum(own_L - (shared_L_R.T * known_R_L).sum(0), noise.scatter**2)
    return NewErrors(residual_D_R @ known_R_L, np.sqrt(left_L))


def fit_curve(
    labels: ArrayLike,
    right: ArrayLike,
    n: ArrayLike,
    *,
    overlap: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Curves | None:
    """Fit learning curves to rounds.

    Args:
        labels: What the model of each round had learnt from; any order, repeats allowed.
        right: Items that it had right.
        n: Items it was measured on; rounds without any are passed over.
        overlap: Which part of the errors rounds have in common (``overlap.overlap_of``); 0 where each round
            has items of its own, None where it is not known.
        draws: How many curves.
        seed: Of the draws.

    Returns:
        The curves; None where fewer than three different numbers of labels were measured.
    """
    rounds = np.array([labels, right, n], dtype=np.float64).reshape(3, -1)
    labels_R, right_R, n_R = rounds[:, (rounds[0] > 0) & (rounds[2] > 0)]
    if len(np.unique(labels_R)) < LEAST_POINTS:
        return None
    points = points_of(labels_R, right_R, n_R)
    tried = noises(points, overlap)
    return Curves(points=points, noises=tuple(tried), drawn=sample(points, tried, draws, seed), seed=seed)
