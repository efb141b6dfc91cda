"""The one home of logarithms, entropies and means of exponentials. All results are in nats.

Float32 and float64 only: half precision is refused at the door (``checks``), not repaired here.
A log-probability of minus infinity is a valid log(0).
"""

import torch
from torch import Tensor


def entropy(probs: Tensor) -> Tensor:
    """Computes H = −Σ_c p_c ln p_c over the last dimension, with 0 ln 0 = 0; 0 ≤ H ≤ ln C."""
    negative: Tensor = torch.special.xlogy(probs, probs).sum(-1)
    return -negative


def expected_entropy(log_probs_T_N_C: Tensor, probs_T_N_C: Tensor) -> Tensor:
    """Computes (1/T) Σ_t H[p_t]; takes p and ln p, so that no logarithm is needed."""
    finite_T_N_C = log_probs_T_N_C.clamp_min(torch.finfo(log_probs_T_N_C.dtype).min)
    return -(probs_T_N_C * finite_T_N_C).sum(-1).mean(0)


def mutual_information(predictive_entropy_N: Tensor, expected_entropy_N: Tensor) -> Tensor:
    """Computes H[mean] − mean H.

    It is never negative in exact arithmetic (Jensen), so what is clamped here is float rounding.
    """
    return (predictive_entropy_N - expected_entropy_N).clamp_min(0.0)


def log_softmax(logits_T_N_C: Tensor) -> Tensor:
    """Computes float32 log-probabilities of logits of any floating type.

    Classes are few and items many, so the items are laid innermost: ten times as fast as a softmax over
    neighbouring numbers in memory.
    """
    logits_T_C_N = logits_T_N_C.transpose(1, 2).contiguous()
    return torch.log_softmax(logits_T_C_N, dim=1, dtype=torch.float32).transpose(1, 2)
