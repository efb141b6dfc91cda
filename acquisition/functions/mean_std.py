"""Mean standard deviation: how much the networks' probabilities spread, averaged over the classes.

Formula: (1/C) Σ_c √(Var_t p_tc), the variance divided by T; 0 ≤ score ≤ ½. Cost: O(T·N·C).
Source: Kampffmeyer et al. 2016, https://doi.org/10.1109/CVPRW.2016.90; in active learning Gal et al. 2017,
https://arxiv.org/abs/1703.02910. Close to BALD, without its weight on improbable classes.
"""

from torch import Tensor

from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    off_T_N_C = predictions.probs_T_N_C - predictions.mean_probs_N_C
    return (off_T_N_C**2).mean(0).sqrt().mean(-1)
