"""The straight look at items that a map of the pool is made of."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

#: Power iterations: the directions are exact to float32.
PASSES = 7


class Look(NamedTuple):
    """Features are centred by ``mean_D``, divided by ``scale_D`` and turned by ``directions_D_2``."""

    mean_D: NDArray[np.float64]
    scale_D: NDArray[np.float64]
    directions_D_2: NDArray[np.float32]


def look_at(features_N_D: NDArray[Any], *, each: bool, seed: int) -> Look:
    """Find the two directions in which items differ most (principal components), with fixed signs.

    Afterwards two items drawn at random are 1 apart: √(E ‖a − b‖²) = 1, which is 2 Σ_d Var_d = 1.

    Args:
        features_N_D: Of a sample of the pool.
        each: Bring every column to the same deviation first, for columns of different units.
        seed: Of the randomized decomposition.
    """
    values_N_D = np.asarray(features_N_D, np.float64)
    mean_D = values_N_D.mean(0)
    deviation_D = values_N_D.std(0)
    moves_D = deviation_D > 1e-12 * np.maximum(np.abs(mean_D), 1e-300)
    unit_D = np.where(moves_D, deviation_D if each else 1.0, np.inf)
    centred_N_D = (values_N_D - mean_D) / unit_D
    span = np.sqrt(2 * centred_N_D.var(0).sum()) or 1.0
    return Look(mean_D, unit_D * span, _directions(centred_N_D / span, seed))


def _directions(centred_N_D: NDArray[np.float64], seed: int) -> NDArray[np.float32]:
    directions_D_2 = np.zeros((centred_N_D.shape[1], 2), np.float32)
    rank = min(2, *centred_N_D.shape)
    if rank:
        _, _, found_R_D = randomized_svd(centred_N_D, n_components=rank, n_iter=PASSES, random_state=seed)
        largest_R = np.abs(found_R_D).argmax(1)
        signs_R = np.where(found_R_D[np.arange(rank), largest_R] < 0, -1.0, 1.0)
        directions_D_2[:, :rank] = (found_R_D * signs_R[:, None]).T
    return directions_D_2
