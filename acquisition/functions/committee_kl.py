"""Committee KL: how far the members of a committee are from their consensus, by Kullback-Leibler divergence.

Formula: (1/T) Σ_t KL(p_t ‖ q) with q = (1/T) Σ_t p_t, in nats; 0 ≤ score ≤ min(ln C, ln T). Cost: O(T·N·C).
It equals BALD, term by term another way of writing the same information; it is here under the name that
query by committee knows it by. Source: McCallum and Nigam 1998, Employing EM and pool-based active learning
for text classification.
"""

import torch
from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    own: Tensor = torch.special.xlogy(predictions.probs_T_N_C, predictions.probs_T_N_C).sum(-1)
    to_consensus: Tensor = torch.special.xlogy(predictions.probs_T_N_C, predictions.mean_probs_N_C).sum(-1)
    # Each divergence is at least zero in exact arithmetic; what is clamped is float rounding.
    return (own - to_consensus).mean(0).clamp_min(0.0)
