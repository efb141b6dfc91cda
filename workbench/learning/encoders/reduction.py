"""Principal directions of many columns, the same for the same seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd


def reduced(values_N_D: Any, dimensions: int, seed: int) -> NDArray[np.float32]:
    """Project rows on their largest singular directions.

    Args:
        values_N_D: A dense array or a sparse matrix; centre it for principal components.
        dimensions: How many columns to keep; no more than there are rows and columns.
        seed: Of the randomized decomposition.
    """
    rank = min(dimensions, *values_N_D.shape)
    if rank == 0:
        return np.zeros((values_N_D.shape[0], 1), np.float32)
    left_N_R, singular_R, _ = randomized_svd(values_N_D, n_components=rank, random_state=seed)
    return np.ascontiguousarray(left_N_R * singular_R, dtype=np.float32)
