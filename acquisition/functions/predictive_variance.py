"""Predictive variance: how far a predicted number may lie from the truth, by ignorance, by noise, or by both.

Formula: Var_t μ_t (epistemic, divided by T) + (1/T) Σ_t σ_t² (aleatoric), by the law of total variance; in
squared units of the target. Cost: O(T·N). Choose ``part="epistemic"`` where noise depends on the item: more
labels take away only that part. Source: Kendall and Gal 2017, https://arxiv.org/abs/1703.04977.
"""

from functools import partial

from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.predictions import RegressionPredictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs"})
TASKS = ("regression",)
PARTS = ("total", "epistemic", "aleatoric")


def build(*, part: str = "total") -> Function:
    """Returns the function.

    Args:
        part: ``"total"``, ``"epistemic"`` or ``"aleatoric"``.

    Raises:
        InvalidOption: There is no such part.
    """
    if part not in PARTS:
        raise InvalidOption(f"part is {part!r}; one of {', '.join(PARTS)} is expected.")
    return partial(score, part=part)


def score(predictions: RegressionPredictions, *, part: str) -> Tensor:
    """Computes scores_N."""
    if part == "epistemic":
        return predictions.epistemic_variance_N
    if part == "aleatoric":
        return predictions.aleatoric_variance_N
    return predictions.epistemic_variance_N + predictions.aleatoric_variance_N
