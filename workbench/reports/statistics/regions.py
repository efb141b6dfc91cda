"""Where labels lie in the pool: regions of a map, and which of them labels leave out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Of each axis; cut so that every strip holds as much of the pool.
STRIPS = 8
_DRAWS, _SEED = 400, 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """A map cut into regions.

    Attributes:
        x_edges, y_edges: The cuts between the strips; the outer strips have no end.
        pool_X_Y: The share of the pool in each region.
        labels_X_Y: How many labels lie in each region.
        left_out: The share of the pool in regions without a label.
        at_random: What as many labels drawn at random from the pool leave out on average.
        at_random_high: 95 % of such draws leave out less.
    """

    x_edges: NDArray[Any]
    y_edges: NDArray[Any]
    pool_X_Y: NDArray[Any]
    labels_X_Y: NDArray[Any]
    left_out: float
    at_random: float
    at_random_high: float


def regions(pool_S_2: NDArray[Any], labeled_L_2: NDArray[Any], strips: int = STRIPS) -> Regions:
    """Cut the map of a sample of the pool into regions, and count labels in them.

    Args:
        pool_S_2: Where items lie that were drawn at random from the pool.
        labeled_L_2: Where labeled items lie.
        strips: Of each axis, fewer where the pool has not so many different places.
    """
    inner = np.linspace(0, 1, strips + 1)[1:-1]
    x_edges, y_edges = (np.unique(np.quantile(pool_S_2[:, axis], inner)) for axis in (0, 1))
    pool_X_Y = _counted(pool_S_2, x_edges, y_edges) / len(pool_S_2)
    labels_X_Y = _counted(labeled_L_2, x_edges, y_edges)
    drawn = np.random.default_rng(_SEED).multinomial(len(labeled_L_2), pool_X_Y.ravel(), size=_DRAWS)
    left = (pool_X_Y.ravel() * (drawn == 0)).sum(1)
    return Regions(
        x_edges=x_edges,
        y_edges=y_edges,
        pool_X_Y=pool_X_Y,
        labels_X_Y=labels_X_Y.astype(int),
        left_out=float(pool_X_Y[labels_X_Y == 0].sum()),
        at_random=float((pool_X_Y * (1 - pool_X_Y) ** len(labeled_L_2)).sum()),
        at_random_high=float(np.quantile(left, 0.95)),
    )


def _counted(points_N_2: NDArray[Any], x_edges: NDArray[Any], y_edges: NDArray[Any]) -> NDArray[np.float64]:
    counts_X_Y = np.zeros((len(x_edges) + 1, len(y_edges) + 1))
    columns = np.searchsorted(x_edges, points_N_2[:, 0], side="right")
    rows = np.searchsorted(y_edges, points_N_2[:, 1], side="right")
    np.add.at(counts_X_Y, (columns, rows), 1)
    return counts_X_Y
