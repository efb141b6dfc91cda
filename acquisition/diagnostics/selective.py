"""Does uncertainty find what is wrong: risk against coverage, and areas under ROC curves.

Ties are counted as they fall on average: the order of the items never matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acquisition.calibration.held_out import held_out
from acquisition.checks import refuse_rows
from acquisition.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoverage:
    """Error rate among the surest items.

    Attributes:
        coverage_N: 1/N, 2/N, … 1.
        risk_N: The share of errors among so many surest items.
        area: Mean of ``risk_N`` (AURC); smaller is better.
        excess_area: What of it a perfect order of the same items would not have (E-AURC); 0 is best.
    """

    coverage_N: Tensor
    risk_N: Tensor
    area: float
    excess_area: float


def risk_coverage(log_probs: Tensor, targets: Tensor, uncertainty_N: Tensor | None = None) -> RiskCoverage:
    """Computes the risk-coverage curve.

    Args:
        log_probs: log_probs_T_N_C or log_probs_N_C.
        targets: The items' classes, [N].
        uncertainty_N: Any score that grows with uncertainty; one minus the confidence where none is given.

    Source: Geifman et al. 2019, https://arxiv.org/abs/1805.08206.
    """
    items = held_out(log_probs, targets)
    confidence_N, predicted_N = items.log_mean_N_C.exp().max(-1)
    wrong_N = (predicted_N != items.targets_N).double()
    given_N = 1 - confidence_N if uncertainty_N is None else _score("uncertainty_N", uncertainty_N)
    if len(given_N) != len(wrong_N):
        raise InvalidInput(f"Expected {len(wrong_N)} uncertainties, found {len(given_N)}.")
    risk_N = _risk(given_N.to(wrong_N.device), wrong_N)
    counts_N = torch.arange(1, len(wrong_N) + 1, dtype=torch.float64, device=wrong_N.device)
    area = float(risk_N.mean())
    return RiskCoverage(
        coverage_N=counts_N / len(wrong_N),
        risk_N=risk_N,
        area=area,
        excess_area=area - float(_risk(wrong_N, wrong_N).mean()),
    )


def error_auroc(uncertainty_N: Tensor, wrong_N: Tensor) -> float:
    """Computes the chance that an item that is wrong has more uncertainty than one that is right.

    Args:
        uncertainty_N: Any score that grows with uncertainty.
        wrong_N: Whether each prediction is wrong, as booleans.

    Raises:
        InvalidInput: All are right, or all are wrong.
    """
    if not isinstance(wrong_N, Tensor) or wrong_N.dtype != torch.bool:
        raise InvalidInput("wrong_N is to say of each item whether it is wrong, as booleans.")
    scores_N = _score("uncertainty_N", uncertainty_N)
    if len(scores_N) != len(wrong_N):
        raise InvalidInput(f"Expected {len(wrong_N)} uncertainties, found {len(scores_N)}.")
    return auroc(scores_N[wrong_N], scores_N[~wrong_N])


def ood_auroc(inside_N: Tensor, outside_M: Tensor) -> float:
    """Computes the chance that an item from outside the training data has the larger score.

    Args:
        inside_N: Scores that grow with strangeness, of items like the training data.
        outside_M: Scores of items that are not.
    """
    return auroc(outside_M, inside_N)


def auroc(positive_N: Tensor, negative_M: Tensor) -> float:
    """Computes P(positive > negative) + ½ P(equal), the Mann-Whitney statistic; O((N + M) log M).

    Raises:
        InvalidInput: One of the two groups is empty.
        NotFinite: NaN among the scores.
    """
    positives_N, negatives_M = _score("positive_N", positive_N), _score("negative_M", negative_M)
    if not len(positives_N) or not len(negatives_M):
        raise InvalidInput(
            f"The area compares two groups, and they have {len(positives_N)} and {len(negatives_M)} items; "
            "at least one of each is needed."
        )
    ordered_M = negatives_M.sort().values
    below_N = torch.searchsorted(ordered_M, positives_N)
    not_above_N = torch.searchsorted(ordered_M, positives_N, right=True)
    return float((below_N + not_above_N).double().mean() / (2 * len(ordered_M)))


def _risk(uncertainty_N: Tensor, wrong_N: Tensor) -> Tensor:
    """Computes the risk at each coverage; items that tie share their errors evenly."""
    _, group_N, count_G = torch.unique(uncertainty_N, return_inverse=True, return_counts=True)
    shared_G = torch.bincount(group_N, weights=wrong_N) / count_G
    errors_N = shared_G.repeat_interleave(count_G).cumsum(0)
    risk_N: Tensor = errors_N / torch.arange(1, len(wrong_N) + 1, dtype=torch.float64, device=wrong_N.device)
    return risk_N


def _score(name: str, values_N: Tensor) -> Tensor:
    if not isinstance(values_N, Tensor) or values_N.dim() != 1:
        raise InvalidInput(f"{name} is to be one number per item, as a tensor [N].")
    refuse_rows(values_N.isnan(), name)
    return values_N.detach().double().contiguous()
