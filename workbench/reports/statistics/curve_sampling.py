"""Draw curves in proportion to how well they explain the points: importance sampling from a grid.

The grid is looked at in the middle of each cell, and cells that hold much are split, so that hundreds of
precise rounds are resolved as well as three rough ones. Shapes are then drawn from cells, evenly within
each, and every draw is weighted with its own exact likelihood.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from workbench.reports.statistics.curve_fit import Ends, Fit, Noise, Points, draw_ends, fit
from workbench.reports.statistics.power_law import FAMILIES, LOG_PRIORS, Columns, Shapes, columns, shapes_at

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
#: Proposals for each curve that is wanted.
PROPOSALS = 2
#: The middle of a cell is not all of it: proposals are spread a little wider than the likelihood.
FLATTER = 0.8
#: Share of proposals that are drawn from the whole grid, so that nothing is missed.
ANYWHERE = 0.1
#: A cell with more than this share of the likelihood is split, so often at most.
LARGE, SPLITS = 0.03, 8
#: Draws are repeated so often at most, until they are worth this share of those wanted; a draw with more
#: than ``HEAVY`` of the weight points at a cell that was underrated.
REPEATS, ENOUGH, HEAVY = 6, 0.3, 0.01
TINY = 1e-300
#: How likely a ceiling is before any point is seen: this power of it. The largest whole one with which 90 %
#: bands hold the truth of 2,000 simulated power laws in no more than 92 of 100; decision 0033.
HIGH = 1.0


class Cells(NamedTuple):
    """C cells of the grid: the family of each, lower corner and size along the family's axes."""

    family_C: Ints
    corner_C_K: Floats
    size_C_K: Floats

    @property
    def log_volume_C(self) -> Floats:
        """The logarithm of how likely each cell is beforehand; axes that a family lacks have size 1."""
        return np.asarray(np.log(self.size_C_K).sum(1) + LOG_PRIORS[self.family_C])

    def take(self, which: Ints) -> "Cells":
        """Some of them."""
        return Cells(self.family_C[which], self.corner_C_K[which], self.size_C_K[which])

    def places(self, within_C_K: Floats) -> Shapes:
        """The shapes at places, 0 to 1, within the cells."""
        return shapes_at(self.family_C, self.corner_C_K + within_C_K * self.size_C_K)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """D equally likely curves: shapes, the noise that goes with each, ceilings and starts.

    Attributes:
        effective: How many independent draws the proposals were worth.
    """

    shapes: Shapes
    noise_D: Ints
    ceiling_D: Floats
    start_D: Floats
    effective: float


def sample(points: Points, noises: list[Noise], draws: int, seed: int) -> Sample:
    """Draw curves."""
    rng = np.random.default_rng(seed)
    explored = _explore(points, noises)
    proposals = _propose(points, noises, explored, draws * PROPOSALS, rng)
    for _ in range(REPEATS):
        if proposals.effective > ENOUGH * draws:
            break
        explored = _learn(points, noises, explored, proposals)
        proposals = _propose(points, noises, explored, draws * PROPOSALS, rng)
    kept = _resample(np.log(np.maximum(proposals.weight_P, TINY)), draws, rng)
    return Sample(
        shapes=proposals.shapes.take(kept),
        noise_D=proposals.noise_P[kept],
        ceiling_D=proposals.ends.ceiling_P[kept],
        start_D=proposals.ends.start_P[kept],
        effective=proposals.effective,
    )


class Explored(NamedTuple):
    """Cells, and the logarithm of how likely each is with each of Z noises after the points are seen."""

    cells: Cells
    log_likely_Z_C: Floats

    def with_split(self, points: Points, noises: list[Noise], which: Ints) -> "Explored":
        """Look at some cells more closely; their parts come last."""
        rest = np.setdiff1d(np.arange(len(self.cells.family_C)), which)
        finer = _split(self.cells.take(which))
        log_finer_Z_C = _look(points, noises, finer)
        return Explored(
            _joined([self.cells.take(rest), finer]),
            np.concatenate([self.log_likely_Z_C[:, rest], log_finer_Z_C], axis=1),
        )


class Proposals(NamedTuple):
    """P curves, where they were drawn, and how much each counts."""

    shapes: Shapes
    noise_P: Ints
    cell_P: Ints
    place_P_K: Floats
    ends: Ends
    log_evidence_P: Floats
    weight_P: Floats

    @property
    def effective(self) -> float:
        """How many draws of equal weight they are worth (Kish 1965)."""
        return float(1 / (self.weight_P**2).sum())


def _propose(
    points: Points, noises: list[Noise], explored: Explored, count: int, rng: np.random.Generator
) -> Proposals:
    cells = explored.cells
    log_proposal = _proposal(cells, noises, explored.log_likely_Z_C).ravel()
    chosen = _resample(log_proposal, count, rng)
    noise_P, cell_P = np.divmod(chosen, len(cells.family_C))
    drawn = cells.take(cell_P)
    place_P_K = drawn.corner_C_K + rng.random((count, 3)) * drawn.size_C_K
    shapes = shapes_at(drawn.family_C, place_P_K)
    ends, log_evidence_P = _weigh(points, noises, shapes, noise_P, rng)
    log_weight_P = log_evidence_P + drawn.log_volume_C - log_proposal[chosen]
    weight_P = np.exp(log_weight_P - logsumexp(log_weight_P))
    return Proposals(shapes, noise_P, cell_P, place_P_K, ends, log_evidence_P, weight_P)


def _learn(points: Points, noises: list[Noise], explored: Explored, proposals: Proposals) -> Explored:
    """Split the cells of the draws that count for too much, and remember how likely those were."""
    heavy = np.flatnonzero(proposals.weight_P > HEAVY)
    split = explored.with_split(points, noises, np.unique(proposals.cell_P[heavy]))
    cells, log_likely_Z_C = split
    place_H_K, family_H = proposals.place_P_K[heavy], proposals.shapes.family_P[heavy]
    above_H_C = (place_H_K[:, None] >= cells.corner_C_K).all(2)
    below_H_C = (place_H_K[:, None] < cells.corner_C_K + cells.size_C_K).all(2)
    cell_H = (above_H_C & below_H_C & (family_H[:, None] == cells.family_C)).argmax(1)
    log_seen_H = proposals.log_evidence_P[heavy] + cells.log_volume_C[cell_H]
    np.maximum.at(log_likely_Z_C, (proposals.noise_P[heavy], cell_H), log_seen_H)
    return split


def _explore(points: Points, noises: list[Noise]) -> Explored:
    cells = _joined([_grid_of(number) for number in range(len(FAMILIES))])
    explored = Explored(cells, _look(points, noises, cells))
    for _ in range(SPLITS):
        log_likely_C = logsumexp(explored.log_likely_Z_C, axis=0)
        large = np.flatnonzero(np.exp(log_likely_C - logsumexp(log_likely_C)) > LARGE)
        if not len(large):
            break
        explored = explored.with_split(points, noises, large)
    return explored


def _joined(parts: list[Cells]) -> Cells:
    return Cells(
        np.concatenate([part.family_C for part in parts]),
        np.concatenate([part.corner_C_K for part in parts]),
        np.concatenate([part.size_C_K for part in parts]),
    )


def _grid_of(number: int) -> Cells:
    counts = [*(axis.cells for axis in FAMILIES[number].axes), 1, 1][:3]
    corner_K_C = np.indices(counts).reshape(3, -1) / np.array(counts)[:, None]
    n_cells = corner_K_C.shape[1]
    size_C_K = np.tile(1 / np.array(counts, dtype=np.float64), (n_cells, 1))
    return Cells(np.full(n_cells, number), corner_K_C.T, size_C_K)


def _split(cells: Cells) -> Cells:
    """Halve cells along each axis of their family."""
    parts = []
    for number, family in enumerate(FAMILIES):
        own = cells.take(np.flatnonzero(cells.family_C == number))
        used = np.arange(3) < len(family.axes)
        for step_K in np.ndindex(*np.where(used, 2, 1)):
            size_C_K = own.size_C_K / np.where(used, 2, 1)
            parts.append(Cells(own.family_C, own.corner_C_K + np.array(step_K) * size_C_K, size_C_K))
    return _joined(parts)


def _look(points: Points, noises: list[Noise], cells: Cells) -> Floats:
    """Compute how likely cells are, from the middle of each."""
    middle_C_2 = np.full((len(cells.family_C), 2), 0.5)
    parts = columns(cells.places(np.full(cells.size_C_K.shape, 0.5)), points.first, points.x_R)
    found_Z_C = np.empty((len(noises), len(cells.family_C)))
    for number, noise in enumerate(noises):
        fitted = fit(points, parts, noise)
        ends = draw_ends(fitted, middle_C_2)
        found_Z_C[number] = fitted.log_evidence_P + ends.log_mass_P + _log_prior(ends)
    return found_Z_C + cells.log_volume_C


def _proposal(cells: Cells, noises: list[Noise], log_likely_Z_C: Floats) -> Floats:
    """Mix what is likely after the points with what was likely before."""
    before_Z_C = cells.log_volume_C + np.array([noise.log_prior for noise in noises])[:, None]
    after_Z_C = FLATTER * log_likely_Z_C
    after_Z_C -= logsumexp(after_Z_C)
    mixed_Z_C = np.logaddexp(
        np.log1p(-ANYWHERE) + after_Z_C, np.log(ANYWHERE) + before_Z_C - logsumexp(before_Z_C)
    )
    return np.asarray(mixed_Z_C)


class Weighed(NamedTuple):
    """Ends of P curves, and the logarithm of the likelihood of each."""

    ends: Ends
    log_evidence_P: Floats


def _weigh(
    points: Points, noises: list[Noise], shapes: Shapes, noise_P: Ints, rng: np.random.Generator
) -> Weighed:
    parts = columns(shapes, points.first, points.x_R)
    mean_P_2, cov_P_2_2 = np.empty((len(noise_P), 2)), np.empty((len(noise_P), 2, 2))
    log_evidence_P = np.empty(len(noise_P))
    for number in np.unique(noise_P):
        rows = np.flatnonzero(noise_P == number)
        fitted = fit(points, Columns(parts.ceiling[rows], parts.start[rows]), noises[number])
        mean_P_2[rows], cov_P_2_2[rows], log_evidence_P[rows] = fitted
    ends = draw_ends(Fit(mean_P_2, cov_P_2_2, log_evidence_P), rng.random((len(noise_P), 2)))
    return Weighed(ends, log_evidence_P + ends.log_mass_P + _log_prior(ends))


def _log_prior(ends: Ends) -> Floats:
    """High ceilings are more common than low ones: people label what can be told apart."""
    return np.asarray(HIGH * np.log(np.maximum(ends.ceiling_P, TINY)))


def _resample(log_weight_P: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw rows in proportion to their weights, as evenly as can be (systematic resampling)."""
    edges_P = np.exp(log_weight_P - logsumexp(log_weight_P)).cumsum()
    at_D = (np.arange(count) + rng.random()) / count * edges_P[-1]
    rows_D = np.searchsorted(edges_P, at_D, side="right")
    return np.asarray(np.minimum(rows_D, len(log_weight_P) - 1), dtype=np.intp)
