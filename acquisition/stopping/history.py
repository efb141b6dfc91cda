"""What a stopping rule may look at: what was seen round by round, and the verdict that it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.calibration.held_out import mean_prediction
from acquisition.errors import InvalidInput
from acquisition.numerics import entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingRound:
    """What is known at the end of a round; None where it was not measured.

    Attributes:
        n_labels: Labels so far.
        predicted_N: Class that the round's model gives each item of a fixed stop set: the same items in the
            same order in every round, never trained on.
        mean_entropy: Mean entropy of the predictions of the pool or the stop set, in nats.
        accuracy: An estimate on items that no acquisition function chose; or any other metric that grows.
        standard_error: Of that estimate.
        cost: Spent so far, in any unit.
    """

    n_labels: int
    predicted_N: Tensor | None = None
    mean_entropy: float | None = None
    accuracy: float | None = None
    standard_error: float | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Rounds in the order they happened."""

    rounds: tuple[LabelingRound, ...]


class Verdict(NamedTuple):
    """What a rule says.

    Attributes:
        stop: Whether to stop labeling, by this rule.
        reason: The rule and what it found, in words.
        value: What was compared; NaN where there is not enough evidence.
        threshold: With what it was compared.
    """

    stop: bool
    reason: str
    value: float
    threshold: float


Rule = Callable[[History], Verdict]


def observed_round(
    n_labels: int,
    log_probs: Tensor,
    *,
    accuracy: float | None = None,
    standard_error: float | None = None,
    cost: float | None = None,
) -> LabelingRound:
    """Makes the record of a round from predictions of the stop set.

    Args:
        n_labels: Labels so far.
        log_probs: log_probs_T_N_C or log_probs_N_C of the stop set; classes and the mean entropy are kept.
        accuracy: As in ``LabelingRound``, like ``standard_error`` and ``cost``.
        standard_error: Of the accuracy.
        cost: Spent so far.
    """
    probs_N_C = mean_prediction(log_probs).exp()
    return LabelingRound(
        n_labels=n_labels,
        predicted_N=probs_N_C.argmax(-1).cpu(),
        mean_entropy=float(entropy(probs_N_C).mean()),
        accuracy=accuracy,
        standard_error=standard_error,
        cost=cost,
    )


def not_enough(rule: str, need: str, threshold: float) -> Verdict:
    """Makes the verdict of a rule that can not tell yet; it never stops."""
    return Verdict(False, f"{rule} Not enough evidence: {need}.", math.nan, threshold)


def check_history(history: History) -> None:
    """Refuses a history that can not have happened.

    Raises:
        InvalidInput: Labels or costs fall, stop sets differ in size, or a number is no number.
    """
    if not isinstance(history, History):
        raise InvalidInput(f"Expected a History of rounds, found {type(history).__name__}.")
    for number, round_ in enumerate(history.rounds):
        _check_round(number, round_)
    for number, (before, after) in enumerate(pairwise(history.rounds), 1):
        if after.n_labels < before.n_labels:
            raise InvalidInput(f"Round {number} has {after.n_labels} labels, fewer than the one before it.")
        if before.cost is not None and after.cost is not None and after.cost < before.cost:
            raise InvalidInput(f"Round {number} cost {after.cost} so far, less than the one before it.")
    sizes = {len(r.predicted_N) for r in history.rounds if r.predicted_N is not None}
    if len(sizes) > 1:
        raise InvalidInput(f"The stop set has to be the same in every round; found sizes {sorted(sizes)}.")


def _check_round(number: int, round_: LabelingRound) -> None:
    if isinstance(round_.n_labels, bool) or not isinstance(round_.n_labels, int) or round_.n_labels < 0:
        raise InvalidInput(f"Round {number} has {round_.n_labels!r} labels; a whole number is expected.")
    for name in ("mean_entropy", "accuracy", "standard_error", "cost"):
        value = getattr(round_, name)
        if value is not None and not math.isfinite(value):
            raise InvalidInput(f"The {name} of round {number} is {value}; leave out what was not measured.")
    for name in ("mean_entropy", "standard_error", "cost"):
        if (getattr(round_, name) or 0.0) < 0:
            raise InvalidInput(f"The {name} of round {number} is negative.")
    _check_predicted(number, round_.predicted_N)


def _check_predicted(number: int, predicted_N: Tensor | None) -> None:
    if predicted_N is None:
        return
    whole = isinstance(predicted_N, Tensor) and predicted_N.dim() == 1 and predicted_N.dtype in _INTEGERS
    if not whole or not len(predicted_N) or bool((predicted_N < 0).any()):
        raise InvalidInput(f"predicted_N of round {number} is to be one class number per item, [N].")


_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
