"""Least confidence: how little probability the mean prediction gives to its own class.

Formula: 1 − max_c q_c with q = (1/T) Σ_t p_t; 0 ≤ score ≤ 1 − 1/C.
Source: Lewis and Gale 1994, https://arxiv.org/abs/cmp-lg/9407020.
"""

from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    return 1 - predictions.mean_probs_N_C.amax(-1)
