"""Moves T samples so that their mean becomes a given one, by moving as little probability as possible.

For maps that are fitted on the mean prediction. Where m is an item's mean and g its calibrated mean, each
sample keeps min(1, g_c/m_c) of its probability of class c; what is freed goes to the classes with g_c > m_c
in proportion to g_c − m_c. Each sample is multiplied by the same stochastic matrix: rows sum to one, the
mean is exactly g, one sample becomes g itself, and by the data-processing inequality BALD can only fall.
"""

import torch
from torch import Tensor

from acquisition.calibration.held_out import log_mean


def moved(log_probs_T_N_C: Tensor, log_target_N_C: Tensor) -> Tensor:
    """Computes the moved samples, of mean ``log_target_N_C``, in O(T·N·C).

    Args:
        log_probs_T_N_C: Samples.
        log_target_N_C: The calibrated mean.
    """
    log_mean_N_C = log_mean(log_probs_T_N_C)
    log_kept_N_C = torch.where(log_mean_N_C > log_target_N_C, log_target_N_C - log_mean_N_C, 0.0)
    log_freed_T_N = (log_probs_T_N_C + _log_one_minus(log_kept_N_C)).logsumexp(-1, keepdim=True)
    share_N_C = (log_target_N_C.exp() - log_mean_N_C.exp()).clamp_min(0.0)
    total_N_1 = share_N_C.sum(-1, keepdim=True)
    log_share_N_C = torch.where(total_N_1 > 0, share_N_C / total_N_1, 0.0).log()
    return torch.logaddexp(log_probs_T_N_C + log_kept_N_C, log_freed_T_N + log_share_N_C).log_softmax(-1)


def _log_one_minus(log_values: Tensor) -> Tensor:
    """Computes ln(1 − e^x) for x ≤ 0."""
    return torch.log(-torch.expm1(log_values))
