"""How the sampling errors of rounds go together when all are measured on the same held-out items.

An item that is easy stays easy: if the held-out items happen to be easy ones, every round looks too good. If
items were answered rightly in order of their difficulty, accuracies p ≤ q of two rounds would have the
covariance p (1 − q) / n, the resampled items' exact one. ``overlap`` is the part of it that is seen.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Items are never all in order: some error is always a round's own.
MOST = 0.98
#: Rounds that are compared with each other at most.
ROUNDS = 60


def overlap_of(right_R_N: NDArray[np.bool_]) -> float | None:
    """Compute which part of the errors R rounds on the same N items have in common, 0 to 1.

    It is what paired resampling of the items would give, without the resampling: the sum of the covariances
    of all pairs of rounds, divided by the sum of the largest that they could have. None where nothing can
    be said: fewer than two rounds, or no round with both right and wrong items.
    """
    hits_R_N = right_R_N[-ROUNDS:].astype(np.float64)
    if len(hits_R_N) < 2 or not hits_R_N.shape[1]:
        return None
    share_R = hits_R_N.mean(1)
    seen_R_R = hits_R_N @ hits_R_N.T / hits_R_N.shape[1] - share_R[:, None] * share_R
    possible_R_R = nested(share_R, share_R)
    pairs = np.triu_indices(len(share_R), 1)
    total = possible_R_R[pairs].sum()
    if total <= 0:
        return None
    return float(np.clip(seen_R_R[pairs].sum() / total, 0.0, MOST))


def nested(share_A: Floats, share_B: Floats) -> Floats:
    """Compute min(p, q) − p q: the covariance of one item's hits if items were right in order."""
    return np.asarray(np.minimum(share_A[:, None], share_B) - share_A[:, None] * share_B)


def smoothed(right_R: Floats, n_R: Floats) -> Floats:
    """Compute shares for variances, from the oldest round on: never falling, never 0 nor 1."""
    return np.asarray((rising(right_R, n_R) * n_R + 1) / (n_R + 2))


def rising(right_R: Floats, n_R: Floats) -> Floats:
    """Compute the shares that never fall and lie nearest to those seen, weighted by their items. O(R²).

    In round k the largest, over all rounds a up to k, of the least mean of a stretch from a to k or beyond:
    the max-min formula, Barlow et al. 1972, Statistical inference under order restrictions.
    """
    rights_K, items_K = (np.concatenate([[0.0], np.cumsum(values_R)]) for values_R in (right_R, n_R))
    from_R, to_R = np.arange(len(n_R))[:, None], np.arange(len(n_R)) + 1
    items_R_R = items_K[to_R] - items_K[from_R]
    stretch = to_R > from_R
    mean_R_R = np.where(
        stretch, (rights_K[to_R] - rights_K[from_R]) / np.where(stretch, items_R_R, 1.0), np.inf
    )
    least_R_R = np.minimum.accumulate(mean_R_R[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(stretch, least_R_R, -np.inf).max(0))


def covariance(share_R: Floats, n_R: Floats, overlap: float, rounds_R: Floats) -> Floats:
    """Compute the covariance of R measured shares, each the mean of ``rounds_R`` rounds."""
    error_R = np.sqrt(n_R)
    common_R_R = overlap * nested(share_R, share_R)
    own_R = (1 - overlap) * share_R * (1 - share_R) / rounds_R
    return np.asarray((common_R_R + np.diag(own_R)) / (error_R[:, None] * error_R))
