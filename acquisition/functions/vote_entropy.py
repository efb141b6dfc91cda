"""Vote entropy: how the votes of a committee scatter, each network voting for its most probable class.

Formula: H[v] with v_c the share of networks whose largest probability is that of class c, in nats; 0 ≤
score ≤ min(ln C, ln T). Cost: O(T·N·C). For committees of few networks; it does not see how sure a vote is.
Source: query by committee, Dagan and Engelson 1995, https://doi.org/10.1016/B978-1-55860-377-6.50027-X.
"""

from torch import Tensor
from torch.nn import functional

from acquisition.numerics import entropy
from acquisition.predictions import Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    log_probs_T_N_C = predictions.log_probs_T_N_C
    votes_N_T = log_probs_T_N_C.argmax(-1).T
    counts_N_C = functional.one_hot(votes_N_T, log_probs_T_N_C.shape[-1]).sum(1)
    return entropy(counts_N_C.to(log_probs_T_N_C.dtype) / len(log_probs_T_N_C))
