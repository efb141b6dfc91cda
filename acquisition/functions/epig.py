"""EPIG: what an item's label tells about the labels of target items, the ones that predictions are for.

Formula: mean over the targets x* of I[y; y*] = H[y] + H[y*] − H[y, y*], in nats, where the joint probability
is (1/T) Σ_t p_t(y) p_t(y*). 0 ≤ score ≤ BALD, for a label tells about another through the weights only; BALD
also counts what is of no use to any target. Of several labels: the sum over the item's labels of the mean
over all labels of all targets.
Source: Bickford Smith et al. 2023, https://arxiv.org/abs/2304.08151.
Cost: 2·T·(N·C)·(M·C) in matrix products and (N·C)·(M·C) logarithms; exact, block by block: memory is that of
a block and of the predictions of M targets. When: the pool is broader than what the model is for, or its
classes are out of balance. Tune M: the authors' code draws a hundred targets; the cost grows with them.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_outputs
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.numerics import (
    BLOCK_COLUMNS,
    entropy,
    floored_probs,
    mixture_entropy,
    mutual_information,
)
from acquisition.predictions import Gaussians, Outputs, Predictions
from acquisition.types import Function

NEEDS = frozenset({"log_probs", "samples", "targets"})


class Targets(NamedTuple):
    """M targets as mixtures of T networks: one row per target and class, of which each weighs 1/M."""

    mixtures_MC_T: Tensor
    weights_MC: Tensor
    mean_entropy: Tensor


def build(*, targets: Outputs | None = None) -> Function:
    """Returns the function of some targets.

    Args:
        targets: What the same T networks predict for the targets, log_probs_T_M_C or log_probs_T_M_L_2 (in
            ``rank_pool`` and ``score_pool``: the target items, which are predicted there).

    Raises:
        InvalidOption: There are no targets.
        InvalidInput: The targets are no predictions of classes.
    """
    if targets is None:
        raise InvalidOption(
            "'epig' needs targets, items from where the model is to be used: score(…, "
            "targets=log_probs_T_M_C) of the same networks, or rank_pool(…, targets=items)."
        )
    return partial(score, targets=_targets(targets))


def _targets(outputs: Outputs) -> Targets:
    check_outputs(outputs)
    if isinstance(outputs, Gaussians) or not outputs.shape[1]:
        raise InvalidInput("'epig' needs log-probabilities of at least one target.")
    probs_T_M_C = floored_probs(outputs.flatten(1, 2) if outputs.dim() == 4 else outputs)
    n_samples, n_targets, n_classes = probs_T_M_C.shape
    return Targets(
        mixtures_MC_T=(probs_T_M_C.flatten(1).T / n_samples).contiguous(),
        weights_MC=probs_T_M_C.new_full((n_targets * n_classes,), 1 / n_targets),
        mean_entropy=entropy(probs_T_M_C.mean(0)).double().mean(),
    )


def score(predictions: Predictions, *, targets: Targets) -> Tensor:
    """Computes scores_N.

    Raises:
        InvalidInput: The targets were predicted by another number of networks.
    """
    log_probs_T_N_C = predictions.log_probs_T_N_C
    n_samples, n_items, n_classes = log_probs_T_N_C.shape
    if n_samples != targets.mixtures_MC_T.shape[1]:
        raise InvalidInput(
            f"{n_samples} networks predicted the items and {targets.mixtures_MC_T.shape[1]} the targets: "
            "'epig' needs the same ones. Predict both with the same n_samples and seed."
        )
    size = max(1, BLOCK_COLUMNS // n_classes)
    chunks = (log_probs_T_N_C[:, first : first + size] for first in range(0, n_items, size))
    found = [_information(chunk, targets) for chunk in chunks]
    return torch.cat(found) if found else log_probs_T_N_C.new_empty(0)


def _information(log_probs_T_n_C: Tensor, targets: Targets) -> Tensor:
    probs_T_n_C = floored_probs(log_probs_T_n_C.to(targets.mixtures_MC_T.dtype))
    joint_nC = mixture_entropy(targets.mixtures_MC_T, targets.weights_MC, probs_T_n_C.flatten(1))
    apart_n = entropy(probs_T_n_C.mean(0)).double() + targets.mean_entropy
    information_n = mutual_information(apart_n, joint_nC.view(len(apart_n), -1).sum(1))
    return information_n.to(log_probs_T_n_C.dtype)
