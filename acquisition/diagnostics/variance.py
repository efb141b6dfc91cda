"""Where the variance of a predicted number comes from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_outputs
from acquisition.errors import InvalidInput
from acquisition.predictions import Gaussians, RegressionPredictions


class VarianceParts(NamedTuple):
    """The law of total variance.

    Attributes:
        epistemic_N: Variance of the networks' means, divided by T: what more labels can take away.
        aleatoric_N: Mean of the networks' noise variances: what stays.
        total_N: Their sum, the variance of the label under all networks together.
    """

    epistemic_N: Tensor
    aleatoric_N: Tensor
    total_N: Tensor


def decompose(gaussians: Gaussians) -> VarianceParts:
    """Splits the variance of regression predictions, in the square of the target's unit.

    The networks are the whole mixture, not a sample of one, so their variance is divided by T, not by T − 1.
    Cost: O(T·N).

    Raises:
        InvalidInput: These are no predictions of numbers.
    """
    if not isinstance(gaussians, Gaussians):
        raise InvalidInput(f"Expected Gaussians of regression, found {type(gaussians).__name__}.")
    check_outputs(gaussians)
    predictions = RegressionPredictions(gaussians, torch.arange(gaussians.means_T_N.shape[1]))
    epistemic_N, aleatoric_N = predictions.epistemic_variance_N, predictions.aleatoric_variance_N
    return VarianceParts(epistemic_N, aleatoric_N, epistemic_N + aleatoric_N)
