"""Class predictions of items whose classes are known: what calibration and diagnostics start from.

Everything is computed in float64; checks are at this door, nothing is repaired behind it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_log_probs
from acquisition.errors import InvalidInput
from acquisition.predictions import Gaussians


class HeldOut(NamedTuple):
    """Predictions of T networks for N items that no training saw, and the items' classes."""

    log_probs_T_N_C: Tensor
    targets_N: Tensor

    @property
    def log_mean_N_C(self) -> Tensor:
        """Log-probabilities of the mean prediction."""
        return log_mean(self.log_probs_T_N_C)

    def of_targets(self, values_T_N_C: Tensor) -> Tensor:
        """Takes [T, N]: each item's value of its own class."""
        classes_T_N_1 = self.targets_N[None, :, None].expand(len(values_T_N_C), -1, 1)
        return values_T_N_C.gather(-1, classes_T_N_1).squeeze(-1)


def held_out(log_probs: Tensor, targets: Tensor) -> HeldOut:
    """Checks predictions and classes that belong together.

    Args:
        log_probs: log_probs_T_N_C, or log_probs_N_C of one network.
        targets: Class numbers, [N].

    Raises:
        InvalidInput: No predictions of classes, no items, or targets that are not their classes.
        NotFinite: NaN or plus infinity; minus infinity is log(0).
    """
    log_probs_T_N_C = sampled(log_probs)
    _check_targets(targets, *log_probs_T_N_C.shape[1:])
    return HeldOut(log_probs_T_N_C, targets.to(log_probs_T_N_C.device, torch.long))


def sampled(log_probs: Tensor) -> Tensor:
    """Returns log_probs_T_N_C in float64; a table [N, C] is one sample."""
    if isinstance(log_probs, Gaussians) or (isinstance(log_probs, Tensor) and log_probs.dim() == 4):
        kind = "a number (regression)" if isinstance(log_probs, Gaussians) else "several labels (multilabel)"
        raise InvalidInput(f"Found predictions of {kind}; this is for classification: log_probs_T_N_C.")
    flat = isinstance(log_probs, Tensor) and log_probs.dim() == 2
    log_probs_T_N_C = log_probs.unsqueeze(0) if flat else log_probs
    check_log_probs(log_probs_T_N_C)
    if not log_probs_T_N_C.shape[1]:
        raise InvalidInput("There are no items: at least one prediction is needed.")
    return log_probs_T_N_C.detach().double()


def mean_prediction(log_probs: Tensor) -> Tensor:
    """Returns log_probs_N_C of the mean prediction, checked, in float64."""
    return log_mean(sampled(log_probs))


def log_mean(log_probs_T_N_C: Tensor) -> Tensor:
    """Computes ln (1/T) Σ_t p_t."""
    return log_probs_T_N_C.logsumexp(0) - math.log(len(log_probs_T_N_C))


def _check_targets(targets: Tensor, n_items: int, n_classes: int) -> None:
    integers = isinstance(targets, Tensor) and not (
        targets.is_floating_point() or targets.dtype == torch.bool
    )
    if not integers or targets.shape != (n_items,):
        found = f"{list(targets.shape)} of {targets.dtype}" if isinstance(targets, Tensor) else type(targets)
        raise InvalidInput(f"Expected the classes of {n_items} items as integers [{n_items}], found {found}.")
    wrong_N = (targets < 0) | (targets >= n_classes)
    if bool(wrong_N.any()):
        row = int(wrong_N.nonzero()[0])
        raise InvalidInput(
            f"The target of row {row} is {int(targets[row])}; the predictions have the classes 0 to "
            f"{n_classes - 1}."
        )
