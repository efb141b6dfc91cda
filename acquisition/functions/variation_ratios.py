"""Variation ratios: the share of networks that do not vote for the most voted class.

Formula: 1 − f/T with f the votes of the mode; 0 ≤ score ≤ 1 − 1/min(C, T). Votes are argmax per network; of
equal classes the first gets the vote. Ties of the score are common: it has at most T values.
Source: Freeman 1965; with dropout Gal et al. 2017, https://arxiv.org/abs/1703.02910.
"""

import torch
from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    log_probs_T_N_C = predictions.log_probs_T_N_C
    votes_N_T = log_probs_T_N_C.argmax(-1).T
    counts_N_C = torch.zeros_like(predictions.mean_probs_N_C)
    counts_N_C.scatter_add_(1, votes_N_T, torch.ones_like(votes_N_T, dtype=counts_N_C.dtype))
    return 1 - counts_N_C.amax(-1) / len(log_probs_T_N_C)
