"""Expected model change: how strongly the last layer would be pulled by the item's label, whichever it is.

Formula: Σ_c q_c ‖∂(−ln q_c)/∂W‖ = ‖[h, 1]‖ · Σ_c q_c √(‖q‖² − 2q_c + 1), with h the input of the last layer
and q the mean prediction; at least 0, no upper bound. Cost: O(N·(C + D)), no gradient is computed. Items of
large norm are favoured. Source: expected gradient length, Settles and Craven 2008,
https://aclanthology.org/D08-1112.
"""

import torch
from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "features"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    assert predictions.features_N_D is not None
    features_N_D = predictions.features_N_D.flatten(1).to(predictions.mean_probs_N_C)
    probs_N_C = predictions.mean_probs_N_C
    length_N = torch.sqrt((features_N_D**2).sum(-1) + 1)
    return length_N * _expected_residual(probs_N_C)


def _expected_residual(probs_N_C: Tensor) -> Tensor:
    """Computes Σ_c q_c ‖q − e_c‖, where nothing cancels for a class that is nearly certain."""
    probs_N_C = probs_N_C.sort(dim=-1, descending=True).values
    first_N_1, rest_N_C = probs_N_C[:, :1], probs_N_C[:, 1:]
    all_squared_N_1 = (probs_N_C**2).sum(-1, keepdim=True)
    first_squared_N_1 = rest_N_C.sum(-1, keepdim=True) ** 2 + (rest_N_C**2).sum(-1, keepdim=True)
    rest_squared_N_C = all_squared_N_1 - 2 * rest_N_C + 1
    return torch.cat([first_N_1 * first_squared_N_1.sqrt(), rest_N_C * rest_squared_N_C.sqrt()], -1).sum(-1)
