"""OOD distance: how far an item's embedding is from everything that is labeled.

Formula: the distance to the k-th nearest labeled item; at least 0. ``"euclidean"`` has no upper bound,
``"cosine"`` is 1 − cos and at most 2. Cost: O(N·M·D) for M labeled items, in chunks. It finds what the
labels do not cover, also where networks are sure of themselves: far from the data ReLU networks are sure,
and BALD is blind. No network is asked, so it measures novelty and not difficulty. Source: Sun et al. 2022,
https://arxiv.org/abs/2204.06507.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.checks import check_count, check_features
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.tasks import TASKS as ALL_TASKS
from acquisition.types import Function

NEEDS = frozenset({"features", "labeled"})
TASKS = ALL_TASKS
METRICS = ("euclidean", "cosine")
DISTANCES_AT_ONCE = 2**22
#: By differences, not by a matrix product, whose rounding of small distances depends on the chunk.
EXACT = "donot_use_mm_for_euclid_dist"


def build(*, labeled: Tensor | None = None, neighbours: int = 1, metric: str = "euclidean") -> Function:
    """Returns the function.

    Args:
        labeled: features_M_D of the labeled items (``score``), or the items themselves (``rank_pool``).
        neighbours: k; more than 1 is calmer where labels have outliers.
        metric: ``"euclidean"`` or ``"cosine"``.

    Raises:
        InvalidOption: There is nothing labeled, fewer items than ``neighbours``, or no such metric.
    """
    check_count("neighbours", neighbours)
    if metric not in METRICS:
        raise InvalidOption(f"metric is {metric!r}; one of {', '.join(METRICS)} is expected.")
    if labeled is None or not len(labeled):
        raise InvalidOption("'ood_distance' measures from labeled items: give labeled=…")
    if len(labeled) < neighbours:
        raise InvalidOption(f"neighbours is {neighbours}, and only {len(labeled)} items are labeled.")
    check_features("labeled features", labeled)
    return partial(score, labeled_M_D=labeled.flatten(1), neighbours=neighbours, metric=metric)


def score(predictions: Any, *, labeled_M_D: Tensor, neighbours: int, metric: str) -> Tensor:
    """Computes scores_N."""
    features_N_D = predictions.features_N_D.flatten(1)
    if features_N_D.shape[1] != labeled_M_D.shape[1]:
        raise InvalidInput(
            f"The items' embeddings have {features_N_D.shape[1]} numbers, those of labeled items "
            f"{labeled_M_D.shape[1]}: the same embedding is expected for both."
        )
    features_N_D = features_N_D.float() if features_N_D.itemsize < 4 else features_N_D
    labeled_M_D = labeled_M_D.to(features_N_D)
    if metric == "cosine":
        features_N_D, labeled_M_D = functional.normalize(features_N_D), functional.normalize(labeled_M_D)
    rows = max(1, DISTANCES_AT_ONCE // len(labeled_M_D))
    nearest = [
        torch.cdist(chunk, labeled_M_D, compute_mode=EXACT).kthvalue(neighbours).values
        for chunk in features_N_D.split(rows)
    ]
    distances_N = torch.cat(nearest)
    # For vectors of length one, 1 − cos is half the squared distance.
    return distances_N**2 / 2 if metric == "cosine" else distances_N
