"""What few samples take from BALD: a bias that is known to first order."""

from __future__ import annotations

import torch
from torch import Tensor

from acquisition.calibration.held_out import sampled
from acquisition.errors import InvalidInput
from acquisition.numerics import entropy, expected_entropy


def bald_bias(log_probs_T_N_C: Tensor) -> Tensor:
    """Computes the expected error of BALD with T samples, −(1/2T) Σ_c Var(p_c)/μ_c, in nats; bias_N ≤ 0.

    The entropy of a mean of T samples is too small, to first order in 1/T (a Taylor series of the entropy at
    the mean; Miller 1955). The mean entropy of the samples has no bias. Cost: O(T·N·C).

    Args:
        log_probs_T_N_C: At least two samples.
    """
    checked_T_N_C = sampled(log_probs_T_N_C)
    n_samples = len(checked_T_N_C)
    if n_samples < 2:
        raise InvalidInput("One sample has no variance to estimate a bias from; at least two are needed.")
    probs_T_N_C = checked_T_N_C.exp()
    mean_N_C = probs_T_N_C.mean(0)
    ratio_N_C = torch.where(mean_N_C > 0, probs_T_N_C.var(0) / mean_N_C, 0.0)
    return -ratio_N_C.sum(-1) / (2 * n_samples)


def debiased_bald(log_probs_T_N_C: Tensor) -> Tensor:
    """Computes BALD minus its expected error: closer to what endless samples would give, in nats.

    A check of how much of a score few samples hide, not a better ranking: the correction has noise of its
    own, and may exceed ln C.
    """
    checked_T_N_C = sampled(log_probs_T_N_C)
    probs_T_N_C = checked_T_N_C.exp()
    raw_N = entropy(probs_T_N_C.mean(0)) - expected_entropy(checked_T_N_C, probs_T_N_C)
    return raw_N - bald_bias(log_probs_T_N_C)
