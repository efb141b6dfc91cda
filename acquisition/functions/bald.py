"""BALD: mutual information between an item's label and the network's weights; what networks disagree about.

Formula: I[y; w] = H[(1/T) Σ_t p_t] − (1/T) Σ_t H[p_t], in nats; 0 ≤ score ≤ min(ln C, ln T).
Regression: ½ ln(Var_t μ_t + mean σ_t²) − ½ mean ln σ_t², which takes the mixture for a Gaussian.
Source: Houlsby et al. 2011, https://arxiv.org/abs/1112.5745; with dropout Gal et al. 2017,
https://arxiv.org/abs/1703.02910. Cost: O(T·N·C).
The estimate from T samples is low by about (1/2T) Σ_c Var(p_c)/mean(p_c).
"""

from torch import Tensor

from acquisition.predictions import AnyPredictions
from acquisition.tasks import TASKS as ALL_TASKS
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples"})
TASKS = ALL_TASKS


def build() -> Function:
    """Returns the function; it has no options."""
    return score


def score(predictions: AnyPredictions) -> Tensor:
    """Computes scores_N."""
    return predictions.mutual_information_N
