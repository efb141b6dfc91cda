"""Pairwise KL: how far the networks are from each other, every pair in both directions.

Formula: (1/T²) Σ_s Σ_t KL(p_s ‖ p_t) = Σ_c [mean_t (p_tc ln p_tc) − q_c · mean_t ln p_tc], in nats; it is
at least BALD and has no upper bound. Cost: O(T·N·C), no loop over pairs. Weighs a network that excludes a
class much more than BALD does. Probabilities below 10⁻³⁰ count as 10⁻³⁰, so one network that says "never"
gives a large, not an infinite, score. Source: expected pairwise KL, Malinin et al. 2021,
https://arxiv.org/abs/2006.10562.
"""

import math

from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples"})
LEAST_LOG_PROB = -30 * math.log(10)


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    log_probs_T_N_C = predictions.log_probs_T_N_C.clamp_min(LEAST_LOG_PROB)
    own_N_C = (predictions.probs_T_N_C * log_probs_T_N_C).mean(0)
    crossed_N_C = predictions.mean_probs_N_C * log_probs_T_N_C.mean(0)
    return (own_N_C - crossed_N_C).sum(-1).clamp_min(0.0)
