"""K-means clusters of features, for the selectors that spread a batch over clusters.

Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii 2007), in mini-batches (Sculley 2010) above
10,000 items. O(N·D·k) per pass, on the CPU.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FULL_BATCH_UP_TO = 10_000


class Clusters(NamedTuple):
    """A partition of N items.

    Attributes:
        owner_N: The number of each item's cluster; some numbers may belong to no item.
        centres_K_D: The clusters' means.
    """

    owner_N: NDArray[Any]
    centres_K_D: NDArray[Any]


def clustered(points_N_D: NDArray[Any], n_clusters: int, seed: int) -> Clusters:
    """Divides items into at most ``n_clusters``; equal items stay together, so clusters may stay empty."""
    from sklearn.cluster import KMeans, MiniBatchKMeans  # late: half a second that most callers do not need
    from sklearn.exceptions import ConvergenceWarning

    method = KMeans if len(points_N_D) <= FULL_BATCH_UP_TO else MiniBatchKMeans
    model = method(min(n_clusters, len(points_N_D)), n_init=1, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different items than clusters: said above
        model.fit(points_N_D)
    return Clusters(np.asarray(model.labels_), np.asarray(model.cluster_centers_))
