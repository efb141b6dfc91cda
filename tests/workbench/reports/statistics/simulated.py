"""Projects whose truth is known: two learning curves, items that are easy or hard, hits drawn from both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from workbench.reports.statistics.bootstrap import Floats, item_weights, resampled
from workbench.reports.statistics.curves import Curve, curve_of

#: Held-out items and rounds that the projects have, by turns.
SIZES = ((400, 6), (400, 12), (1000, 8), (1000, 20), (2000, 12))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """A project: the arms as measured and resampled, and as they truly are."""

    active: Curve
    random: Curve
    true_active: Curve
    true_random: Curve
    #: A level inside the range of the true random curve.
    target: float
    right_N_R: NDArray[np.bool_]


def projects(count: int, *, draws: int, seed: int, factor: float | None = None) -> Iterator[Simulated]:
    """Draw projects; ``factor`` holds the true speed-up at a value and takes the jumps of training away."""
    rng = np.random.default_rng(seed)
    weights = {items: item_weights(items, draws, seed=1) for items in {items for items, _ in SIZES}}
    for number in range(count):
        items, rounds = SIZES[number % len(SIZES)]
        labels_R = 20.0 * np.arange(1, rounds + 1)
        active_R, random_R = _truth(rng, labels_R, factor)
        right_N_R = hits(rng, np.concatenate([active_R, random_R]), items, rng.choice([0.3, 0.6, 0.9]))
        share_R, draws_B_R = right_N_R.mean(0), resampled(right_N_R, weights[items])
        yield Simulated(
            active=curve_of(labels_R, share_R[:rounds], draws_B_R[:, :rounds]),
            random=curve_of(labels_R, share_R[rounds:], draws_B_R[:, rounds:]),
            true_active=curve_of(labels_R, active_R, active_R[None]),
            true_random=curve_of(labels_R, random_R, random_R[None]),
            target=float(random_R[0] + rng.uniform(0.2, 0.8) * (random_R[-1] - random_R[0])),
            right_N_R=right_N_R,
        )


def _truth(rng: np.random.Generator, labels_R: Floats, factor: float | None) -> tuple[Floats, Floats]:
    """Accuracies of both arms: power laws, the active one ahead by a factor, each round off by some luck."""
    gap, rate, ceiling = rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.8), 1 - rng.uniform(0.02, 0.2)
    faster = rng.uniform(0.9, 1.8) if factor is None else factor
    jump = rng.choice([0, 0.003, 0.01]) if factor is None else 0.0

    def at(labels_R: Floats) -> Floats:
        clean_R = ceiling - gap * (labels_R / 20.0) ** -rate
        return np.clip(clean_R + jump * rng.standard_normal(len(labels_R)), 0.02, 0.995)

    return at(labels_R * faster), at(labels_R)


def hits(rng: np.random.Generator, shares_R: Any, items: int, alike: float) -> NDArray[np.bool_]:
    """Draw which of N items are right in R rounds: an easy item is easy in all, as much as ``alike`` says."""
    easy_N_1 = rng.standard_normal((items, 1)) * np.sqrt(alike)
    own_N_R = rng.standard_normal((items, len(shares_R))) * np.sqrt(1 - alike)
    return np.asarray(easy_N_1 + own_N_R < ndtri(shares_R))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of pools, and how many items are drawn from one.

    Attributes:
        spread: Of the logarithm of the scores. With 2 one item in forty has fifty times the middle score.
        known: Whether scores follow from how likely the model is wrong; else they say a little of it, and
            four labels in a hundred are wrong whatever the score, as people's are.
    """

    pool: int
    drawn: int
    spread: float
    known: bool


KINDS = (
    Kind(pool=400, drawn=18, spread=0.3, known=True),
    Kind(pool=500, drawn=50, spread=0.3, known=True),
    Kind(pool=1000, drawn=200, spread=0.3, known=True),
    Kind(pool=1300, drawn=18, spread=1.0, known=False),
    Kind(pool=1300, drawn=50, spread=1.5, known=False),
    Kind(pool=1300, drawn=200, spread=2.0, known=False),
    Kind(pool=2500, drawn=150, spread=1.0, known=False),
)


class Pools(NamedTuple):
    """True errors of P pools; whether the drawn items were wrong, and the chances of the draws, in order."""

    error_P: Floats
    wrong_P_M: Floats
    proposal_P_M: Floats


def pools(rng: np.random.Generator, kind: Kind, count: int) -> Pools:
    """Draw pools and what a power selector takes of each."""
    size = (count, kind.pool)
    if kind.known:
        chance_P_N = rng.beta(0.6, 2.4, size)
        score_P_N = (chance_P_N * (1 - chance_P_N) + 0.002) * np.exp(kind.spread * rng.standard_normal(size))
    else:
        hard_P_N = rng.standard_normal(size)
        score_P_N = np.exp(kind.spread * hard_P_N)
        chance_P_N = 0.04 + 0.96 * np.clip(0.1 * np.exp(hard_P_N - 0.5), 0, 0.9)
    wrong_P_N = rng.random(size) < chance_P_N
    order_P_M = np.argsort(-np.log(score_P_N) - rng.gumbel(size=size), axis=1)[:, : kind.drawn]
    score_P_M = np.take_along_axis(score_P_N, order_P_M, 1)
    left_P_M = score_P_N.sum(1, keepdims=True) - np.cumsum(score_P_M, 1) + score_P_M
    wrong_P_M = np.take_along_axis(wrong_P_N, order_P_M, 1).astype(float)
    return Pools(wrong_P_N.mean(1), wrong_P_M, score_P_M / left_P_M)
