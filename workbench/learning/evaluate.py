"""How good predictions are: each number with an interval and the count behind it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.domain.intervals import Z, wilson
from workbench.learning.outcomes import Outcomes

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """A measured number, its 95 % interval, and how many items it was measured on."""

    name: str
    value: float
    low: float
    high: float
    n: int


def evaluate(seen: Outcomes) -> tuple[MetricValue, ...]:
    """Measure ``accuracy``, ``nll`` (nats) and ``ece``."""
    right_N = torch.as_tensor(seen.right_N)
    return (
        accuracy(right_N),
        nll(torch.as_tensor(seen.true_probability_N).double()),
        ece(torch.as_tensor(seen.confidence_N).double(), right_N),
    )


def accuracy(right_N: Tensor) -> MetricValue:
    """Count the items whose likeliest class is the true one; Wilson's interval."""
    right, n = int(right_N.sum()), len(right_N)
    return MetricValue(name="accuracy", value=right / n, **wilson(right, n)._asdict(), n=n)


def nll(true_N: Tensor) -> MetricValue:
    """Average −log p(true class) in nats; the interval is that of a mean.

    A probability of 0 counts as the smallest one that float32 can hold.
    """
    return _mean("nll", -true_N.clamp_min(torch.finfo(torch.float32).tiny).log(), math.inf)


def ece(confidence_N: Tensor, right_N: Tensor, bins: int = BINS) -> MetricValue:
    """Compute the expected calibration error of the likeliest class, in bins of equal width.

    ECE = Σ_b (n_b / N) · |mean confidence − accuracy in bin b|; a confidence of exactly 1 belongs to the last
    bin. The interval holds the sign of each bin's gap fixed; with few items the value itself is too large.
    Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    bin_N = (confidence_N * bins).long().clamp(0, bins - 1)
    gap_N = confidence_N - right_N.double()
    sign_B = torch.zeros(bins, dtype=gap_N.dtype).index_add_(0, bin_N, gap_N).sign()
    return _mean("ece", gap_N * sign_B[bin_N], 1.0)


def _mean(name: str, values_N: Tensor, largest: float) -> MetricValue:
    """Give the mean of values with its normal interval, cut to [0, ``largest``]."""
    n, value = len(values_N), float(values_N.mean())
    reach = Z * float(values_N.std()) / math.sqrt(n) if n > 1 else math.inf
    low, high = max(0.0, value - reach), min(largest, value + reach)
    return MetricValue(name=name, value=value, low=low, high=high, n=n)
