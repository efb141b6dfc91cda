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


#: Numbers of a block of intermediate results: with their logarithms they stay in the cache of one core.
BLOCK = 2**18
#: Columns of a block where there are enough: a matrix product wants many rows and many columns.
BLOCK_COLUMNS = 512
#: Smallest probability in a mixture: below it products would leave the range of normal float32.
LEAST_PROBABILITY = 1e-12


def floored_probs(log_probs: Tensor) -> Tensor:
    """Computes probabilities of at least 1e-12, so that mixtures of them have logarithms."""
    return log_probs.exp().clamp_min_(LEAST_PROBABILITY)


def mixture_entropy(mixtures_M_T: Tensor, weights_M: Tensor, probs_T_X: Tensor) -> Tensor:
    """Computes −Σ_m weight_m q_mx ln q_mx of the mixtures q = mixtures_M_T @ probs_T_X, in float64.

    Probabilities as of ``floored_probs``. Cost: a matrix product and one logarithm per (m, x); memory is a
    block, whatever M is.
    """
    size = max(1, BLOCK // max(1, probs_T_X.shape[1]))
    total_X = torch.zeros(probs_T_X.shape[1], dtype=torch.float64, device=probs_T_X.device)
    for first in range(0, len(weights_M), size):
        mixed = mixtures_M_T[first : first + size] @ probs_T_X
        total_X -= weights_M[first : first + size] @ mixed.log().mul_(mixed)
    return total_X
