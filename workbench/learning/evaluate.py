"""How good predictions are: each number with an interval and the count behind it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.domain.intervals import Z, wilson

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """A measured number, its 95 % interval, and how many items it was measured on."""

    name: str
    value: float
    low: float
    high: float
    n: int


def evaluate(
    probabilities: Tensor | Iterable[Tensor], targets: Sequence[str], classes: Sequence[str]
) -> tuple[MetricValue, ...]:
    """Measure ``accuracy``, ``nll`` (nats) and ``ece``.

    Args:
        probabilities: probabilities_N_C, whole or as a stream of chunks.
        targets: The true class of each item, in the same order.
        classes: In the order of the columns.

    Raises:
        ModelProblem: No items, a target that is no class, or another number of predictions than of targets.
    """
    chunks = [probabilities] if isinstance(probabilities, Tensor) else list(probabilities)
    targets_N = _numbers(targets, classes)
    if sum(map(len, chunks)) != len(targets_N):
        raise ModelProblem(
            f"Found {sum(map(len, chunks))} predictions for {len(targets_N)} items; expected one for each."
        )
    probabilities_N_C = torch.cat(chunks).double()
    return (
        accuracy(probabilities_N_C, targets_N),
        nll(probabilities_N_C, targets_N),
        ece(probabilities_N_C, targets_N),
    )


def accuracy(probabilities_N_C: Tensor, targets_N: Tensor) -> MetricValue:
    """Count the items whose likeliest class is the true one; Wilson's interval."""
    right, n = int((probabilities_N_C.argmax(-1) == targets_N).sum()), len(targets_N)
    return MetricValue(name="accuracy", value=right / n, **wilson(right, n)._asdict(), n=n)


def nll(probabilities_N_C: Tensor, targets_N: Tensor) -> MetricValue:
    """Average −log p(true class) in nats; the interval is that of a mean.

    A probability of 0 counts as the smallest one that float32 can hold.
    """
    smallest = torch.finfo(torch.float32).tiny
    true_N = probabilities_N_C.gather(-1, targets_N[:, None]).squeeze(-1)
    return _mean("nll", -true_N.clamp_min(smallest).log(), math.inf)


def ece(probabilities_N_C: Tensor, targets_N: Tensor, bins: int = BINS) -> MetricValue:
    """Compute the expected calibration error of the likeliest class, in bins of equal width.

    ECE = Σ_b (n_b / N) · |mean confidence − accuracy in bin b|; a confidence of exactly 1 belongs to the last
    bin. The interval holds the sign of each bin's gap fixed; with few items the value itself is too large.
    Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    confidence_N, predicted_N = probabilities_N_C.max(-1)
    bin_N = (confidence_N * bins).long().clamp(0, bins - 1)
    gap_N = confidence_N - (predicted_N == targets_N).double()
    sign_B = torch.zeros(bins, dtype=gap_N.dtype).index_add_(0, bin_N, gap_N).sign()
    return _mean("ece", gap_N * sign_B[bin_N], 1.0)


def _mean(name: str, values_N: Tensor, largest: float) -> MetricValue:
    """Give the mean of values with its normal interval, cut to [0, ``largest``]."""
    n, value = len(values_N), float(values_N.mean())
    reach = Z * float(values_N.std()) / math.sqrt(n) if n > 1 else math.inf
    low, high = max(0.0, value - reach), min(largest, value + reach)
    return MetricValue(name=name, value=value, low=low, high=high, n=n)


def _numbers(targets: Sequence[str], classes: Sequence[str]) -> Tensor:
    numbers = {name: number for number, name in enumerate(classes)}
    strangers = sorted(set(targets) - numbers.keys())
    if strangers:
        raise ModelProblem(
            f"Found items with the true class {strangers[0]!r}; the classes are {', '.join(classes)}. "
            "Add the class to workbench.toml, or take these items out of the held-out split."
        )
    if not targets:
        raise ModelProblem("Found no items to measure on; expected a held-out split with known classes.")
    return torch.tensor([numbers[target] for target in targets])
