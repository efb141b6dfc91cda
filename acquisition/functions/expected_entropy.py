"""Expected entropy: how noisy the networks say that the label itself is (aleatoric uncertainty).

Formula: (1/T) Σ_t H[p_t], in nats; 0 ≤ score ≤ predictive entropy ≤ ln C. Regression: mean of ½ ln(2πe
σ_t²). Cost: O(T·N·C). To look at, or to weigh against others: what it finds are items that people disagree
about, and more labels do not make them clearer. Source: Kendall and Gal 2017,
https://arxiv.org/abs/1703.04977.
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
    return predictions.expected_entropy_N
