"""Random: a uniform number per row of the pool, the control that every other function is held against.

Formula: the top 24 bits of a hash of (seed, row) over 2²⁴; 0 ≤ score < 1. A row keeps its number however
the pool is cut into chunks, shards or processes, because no stream of random numbers is involved.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from acquisition.predictions import AnyPredictions
from acquisition.randomness import mix
from acquisition.tasks import TASKS as ALL_TASKS
from acquisition.types import Function

NEEDS = frozenset({"rows", "seed"})
TASKS = ALL_TASKS


def build(*, seed: int = 0) -> Function:
    """Returns the function of one seed."""
    return partial(score, seed=seed)


def score(predictions: AnyPredictions, *, seed: int) -> Tensor:
    """Computes scores_N."""
    rows_N = predictions.rows_N.cpu().numpy().astype(np.uint64)
    scores_N = (mix(seed, rows_N) >> np.uint64(40)).astype(np.float64) / 2**24
    return torch.from_numpy(scores_N).float().to(predictions.rows_N.device)
