"""Predictive entropy: how undecided the mean prediction is, whether the networks disagree or not.

Formula: H[q] with q = (1/T) Σ_t p_t, in nats; 0 ≤ score ≤ ln C. Regression: ½ ln(2πe σ²) of the mixture's
whole variance σ², which may be negative. Source: Shannon 1948; as acquisition function Settles 2009,
https://burrsettles.com/pub/settles.activelearning.pdf.
"""

from torch import Tensor

from acquisition.predictions import AnyPredictions
from acquisition.tasks import TASKS as ALL_TASKS
from acquisition.types import Function

NEEDS = frozenset({"log_probs"})
TASKS = ALL_TASKS


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: AnyPredictions) -> Tensor:
    """Computes scores_N."""
    return predictions.predictive_entropy_N
