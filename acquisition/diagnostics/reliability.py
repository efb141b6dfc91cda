"""Do items predicted with confidence p turn out right in a share p: reliability and calibration error.

Confidence is the probability of the likeliest class of the mean prediction. Bins are left-closed and the
last one holds p = 1. Bins of equal mass are cut at quantiles, and equal confidences share a bin, so that
the order of the items does not matter. Source: Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602;
the floor as in Bröcker and Smith 2007, https://doi.org/10.1175/WAF993.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.calibration.held_out import held_out, mean_prediction
from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.randomness import generator

Scheme = Literal["equal_width", "equal_mass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Items of similar confidence.

    Attributes:
        low: Least confidence that belongs to the bin.
        high: Where the next bin begins; the last bin holds it.
        count: Items in the bin.
        confidence: Their mean confidence.
        accuracy: The share that is right.
        accuracy_low: Lower end of the share's Wilson interval.
        accuracy_high: Upper end.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


class Floor(NamedTuple):
    """The calibration error that a perfectly calibrated model shows on so many items.

    Attributes:
        mean: Over the resampled labels.
        high: 95 % of the resampled labels give less.
        p_value: The chance of the observed error or more, were the model perfectly calibrated; None where no
            targets were given.
    """

    mean: float
    high: float
    p_value: float | None


class ClasswiseError(NamedTuple):
    """Calibration error of every class's probability.

    Attributes:
        mean: Over the classes.
        errors_C: Of each class.
    """

    mean: float
    errors_C: Tensor


def reliability(
    log_probs: Tensor, targets: Tensor, *, bins: int = 15, scheme: Scheme = "equal_width", level: float = 0.95
) -> tuple[ReliabilityBin, ...]:
    """Computes the rows of a reliability diagram; bins without items are left out.

    Args:
        log_probs: log_probs_T_N_C or log_probs_N_C.
        targets: The items' classes, [N].
        bins: How many to cut.
        scheme: ``equal_width`` or ``equal_mass``.
        level: Of the Wilson intervals.
    """
    if not 0 < level < 1:
        raise InvalidOption(f"level is {level!r}; a number between 0 and 1 is expected.")
    confidence_N, right_N = _top_class(log_probs, targets)
    edges = _edges(confidence_N, bins, scheme)
    bin_N = _bin(confidence_N, edges)
    return tuple(
        _row(float(edges[b]), float(edges[b + 1]), confidence_N[bin_N == b], right_N[bin_N == b], level)
        for b in torch.unique(bin_N).tolist()
    )


def expected_calibration_error(
    log_probs: Tensor, targets: Tensor, *, bins: int = 15, scheme: Scheme = "equal_width"
) -> float:
    """Computes Σ_bins (count / N) · |accuracy − confidence|; 0 to 1.

    It is never zero on a finite sample: read it beside ``calibration_floor``.
    """
    confidence_N, right_N = _top_class(log_probs, targets)
    return _error(confidence_N, right_N, _bin(confidence_N, _edges(confidence_N, bins, scheme)))


def calibration_floor(
    log_probs: Tensor,
    targets: Tensor | None = None,
    *,
    bins: int = 15,
    scheme: Scheme = "equal_width",
    draws: int = 200,
    seed: int = 0,
) -> Floor:
    """Computes the calibration error of labels that are drawn from the model's own probabilities.

    Args:
        log_probs: log_probs_T_N_C or log_probs_N_C.
        targets: The items' classes; with them the p-value is computed.
        bins: As in ``expected_calibration_error``, like ``scheme``.
        scheme: ``equal_width`` or ``equal_mass``.
        draws: How often labels are drawn; cost O(draws · N).
        seed: Of the labels.
    """
    check_count("draws", draws)
    confidence_N = mean_prediction(log_probs).exp().max(-1).values
    bin_N = _bin(confidence_N, _edges(confidence_N, bins, scheme))
    source, cpu_N = generator(seed), confidence_N.cpu()
    drawn = [torch.rand(len(cpu_N), generator=source, dtype=torch.float64) < cpu_N for _ in range(draws)]
    errors = torch.tensor([_error(cpu_N, right_N.double(), bin_N.cpu()) for right_N in drawn])
    p_value = None
    if targets is not None:
        found = expected_calibration_error(log_probs, targets, bins=bins, scheme=scheme)
        p_value = (1 + int((errors >= found - 1e-12).sum())) / (1 + draws)
    return Floor(float(errors.mean()), float(errors.quantile(0.95)), p_value)


def classwise_calibration_error(
    log_probs: Tensor, targets: Tensor, *, bins: int = 15, scheme: Scheme = "equal_width"
) -> ClasswiseError:
    """Computes the calibration error of each class's probability, whether it is the likeliest or not.

    Source: Kull et al. 2019, https://arxiv.org/abs/1910.12656.
    """
    items = held_out(log_probs, targets)
    probs_N_C = items.log_mean_N_C.exp()
    truth_N_C = functional.one_hot(items.targets_N, probs_N_C.shape[1]).to(probs_N_C)
    errors = [
        _error(probs_N, truth_N, _bin(probs_N, _edges(probs_N, bins, scheme)))
        for probs_N, truth_N in zip(probs_N_C.unbind(1), truth_N_C.unbind(1), strict=True)
    ]
    return ClasswiseError(sum(errors) / len(errors), torch.tensor(errors, dtype=torch.float64))


def _top_class(log_probs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    items = held_out(log_probs, targets)
    confidence_N, predicted_N = items.log_mean_N_C.exp().max(-1)
    return confidence_N, (predicted_N == items.targets_N).to(confidence_N)


def _edges(values_N: Tensor, bins: int, scheme: str) -> Tensor:
    check_count("bins", bins)
    if scheme == "equal_width":
        return torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=values_N.device)
    if scheme != "equal_mass":
        raise InvalidOption(f"scheme is {scheme!r}; equal_width or equal_mass is expected.")
    ordered_N = values_N.sort().values
    cuts = [len(ordered_N) * b // bins for b in range(bins)]
    return torch.cat([torch.unique(ordered_N[cuts]), ordered_N[-1:]])


def _bin(values_N: Tensor, edges: Tensor) -> Tensor:
    """Numbers the bin of each value; the last bin is closed on both sides."""
    return (torch.searchsorted(edges[:-1], values_N.contiguous(), right=True) - 1).clamp_min(0)


def _error(values_N: Tensor, right_N: Tensor, bin_N: Tensor) -> float:
    gaps = torch.bincount(bin_N, weights=values_N - right_N)
    return float(gaps.abs().sum() / len(values_N))


def _row(low: float, high: float, confidence_n: Tensor, right_n: Tensor, level: float) -> ReliabilityBin:
    count, share = len(right_n), float(right_n.mean())
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5 / (1 + z**2 / count)
    return ReliabilityBin(
        low=low,
        high=high,
        count=count,
        confidence=float(confidence_n.mean()),
        accuracy=share,
        accuracy_low=max(0.0, middle - half),
        accuracy_high=min(1.0, middle + half),
    )
