"""Predictive entropy: how undecided the mean prediction is, whether the networks disagree or not.

Formula: H[q] with q = (1/T) Σ_t p_t, in nats; 0 ≤ score ≤ ln C.
Source: Shannon 1948; as acquisition function Settles 2009, https://burrsettles.com/pub/settles.activelearning.pdf.
"""

from torch import Tensor

from acquisition.types import Function, Predictions

NEEDS = frozenset({"log_probs"})


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: Predictions) -> Tensor:
    """Computes scores_N."""
    return predictions.predictive_entropy_N
