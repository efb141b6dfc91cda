"""A map of the pool: the same straight look at items in every round, and where a sample of the pool lies."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.storage.arrays import damaged, pack_arrays, unpack_arrays

WHAT = "Maps of the pool"
KINDS: Mapping[str, Any] = {
    "mean_D": np.float64,
    "scale_D": np.float64,
    "directions_D_2": np.float32,
    "sample_S_2": np.float32,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolMap:
    """How items are laid out in two dimensions.

    Its unit: two items drawn from the pool at random are 1 apart, in root mean square.

    Attributes:
        mean_D: Of the features of a sample of the first pool.
        scale_D: What each centred feature is divided by.
        directions_D_2: The two directions in which that sample differs most, of length 1.
        sample_S_2: Where items lie that were drawn from the pool as it is now.
    """

    mean_D: NDArray[Any]
    scale_D: NDArray[Any]
    directions_D_2: NDArray[Any]
    sample_S_2: NDArray[Any]

    def spread(self, features_N_D: NDArray[Any]) -> NDArray[np.float32]:
        """Centre and scale features: distances are those of the map's unit, in all its dimensions."""
        return np.asarray((features_N_D - self.mean_D) / self.scale_D, np.float32)

    def points(self, spread_N_D: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lay out what ``spread`` gave: points_N_2."""
        return np.asarray(spread_N_D @ self.directions_D_2, np.float32)


def pack_map(found: PoolMap) -> bytes:
    """Write a map as one compressed block of bytes; the same map gives the same bytes."""
    return pack_arrays({f.name: np.asarray(getattr(found, f.name), KINDS[f.name]) for f in fields(found)})


def unpack_map(content: bytes) -> PoolMap:
    """Read what ``pack_map`` wrote.

    Raises:
        ArtifactProblem: It is damaged.
    """
    found = PoolMap(**unpack_arrays(content, KINDS, WHAT))
    if found.sample_S_2.ndim != 2 or found.sample_S_2.shape[1:] != (2,):
        raise damaged(WHAT)
    return found
