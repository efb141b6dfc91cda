"""The one home of logarithms, entropies and means of exponentials. All results are in nats.

Float32 and float64 only: half precision is refused at the door (``checks``), not repaired here.
A log-probability of minus infinity is a valid log(0).
"""

from typing import NamedTuple

import torch
from torch import Tensor

LOWEST = -1e4  # of a logit below the largest: its probability is 0 in any case, and 0 · LOWEST is 0


class Moments(NamedTuple):
    """What most functions need of T networks' predictions."""

    mean_probs_N_C: Tensor
    expected_entropy_N: Tensor


def moments(logits_T_N_C: Tensor) -> Moments:
    """Computes (1/T) Σ_t p_t and (1/T) Σ_t H[p_t] straight from logits, in float32 or float64.

    With z the logits less their largest and s = Σ_c e^z, H = ln s − Σ_c p_c z: one exponential per logit and
    one logarithm per network and item. The items are laid innermost, as in ``log_softmax``.
    """
    logits_T_C_N = _items_innermost(logits_T_N_C)
    shifted_T_C_N = (logits_T_C_N - logits_T_C_N.amax(1, keepdim=True)).clamp_min_(LOWEST)
    probs_T_C_N = shifted_T_C_N.exp()
    totals_T_1_N = probs_T_C_N.sum(1, keepdim=True)
    probs_T_C_N *= totals_T_1_N.reciprocal()
    mean_probs_N_C = probs_T_C_N.mean(0).T
    expected_N = totals_T_1_N.log_().sum((0, 1)).sub_(shifted_T_C_N.mul_(probs_T_C_N).sum((0, 1)))
    return Moments(mean_probs_N_C, expected_N.div_(len(logits_T_C_N)))


def _items_innermost(logits_T_N_C: Tensor) -> Tensor:
    precise = logits_T_N_C if logits_T_N_C.dtype == torch.float64 else logits_T_N_C.float()
    return precise.transpose(1, 2).contiguous()


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
