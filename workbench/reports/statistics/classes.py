"""How well each class is found: precision, recall and F1 with intervals, from a confusion of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.domain.intervals import Interval, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A share with its 95 % interval; None of nothing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How well one class is found among held-out items.

    Attributes:
        held_out: Items of the class.
        predicted: Items that the model takes for it.
        found: Items that are both.
        recall: None without items of the class.
        precision: None where nothing is taken for it.
        f1: None where there is neither.
    """

    held_out: int
    predicted: int
    found: int
    recall: Measured | None
    precision: Measured | None
    f1: Measured | None


def class_scores(
    target_N: NDArray[np.integer], predicted_N: NDArray[np.integer], n_classes: int
) -> list[ClassScore]:
    """Score every class, in their order."""
    there_C = np.bincount(target_N, minlength=n_classes)
    taken_C = np.bincount(predicted_N, minlength=n_classes)
    right_C = np.bincount(target_N[target_N == predicted_N], minlength=n_classes)
    return [
        ClassScore(
            held_out=there,
            predicted=taken,
            found=right,
            recall=_share(right, there),
            precision=_share(right, taken),
            f1=f1(right, taken - right, there - right),
        )
        for there, taken, right in zip(there_C.tolist(), taken_C.tolist(), right_C.tolist(), strict=True)
    ]


def f1(found: int, wrongly: int, missed: int) -> Measured | None:
    """Compute F1 = 2 found / (2 found + wrongly + missed) with its 95 % interval; None of nothing.

    Of the items that are of the class or taken for it, a share θ is both, and F1 = 2θ / (1 + θ) rises with θ:
    so the ends are those of Wilson's interval of θ, put through the same formula. Lam et al. 2023, the
    indirect Wilson interval, https://arxiv.org/abs/2309.14621.
    """
    either = found + wrongly + missed
    if either == 0:
        return None
    ends = Interval(*(2 * share / (1 + share) for share in wilson(found, either)))
    return Measured(value=2 * found / (found + either), low=ends.low, high=ends.high)


def _share(part: int, whole: int) -> Measured | None:
    if whole == 0:
        return None
    low, high = wilson(part, whole)
    return Measured(value=part / whole, low=low, high=high)
