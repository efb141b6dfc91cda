"""Margin: how close the two most probable classes of the mean prediction are.

Formula: 1 − (q₁ − q₂), the probabilities of the best and second class; 0 ≤ score ≤ 1, 1 is a tie.
Source: Scheffer, Decomain and Wrobel 2001, https://doi.org/10.1007/3-540-44816-0_31 (there q₁ − q₂, to be
small; turned here so that larger is more wanted).
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
    if predictions.mean_probs_N_C.shape[-1] == 1:
        return torch.zeros_like(predictions.mean_probs_N_C[:, 0])  # one class is certain
    best_N_2 = predictions.mean_probs_N_C.topk(2, dim=-1).values
    return 1 - (best_N_2[:, 0] - best_N_2[:, 1])
