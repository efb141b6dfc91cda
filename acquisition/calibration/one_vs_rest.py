"""Each class against the rest: its log-odds, and one distribution made of the classes' own calibrations."""

import torch
from torch import Tensor

LARGEST = 700.0


def log_odds(log_probs_N_C: Tensor) -> Tensor:
    """Computes ln p_c − ln Σ_{d≠c} p_d, exact also where p_c rounds to one; O(N·C).

    Beyond ±700, where a float64 probability is 0 or 1, it counts as ±700.
    """
    before_N_C = _log_sum_before(log_probs_N_C)
    after_N_C = _log_sum_before(log_probs_N_C.flip(-1)).flip(-1)
    rest_N_C = torch.logaddexp(before_N_C, after_N_C)
    return (log_probs_N_C - rest_N_C).clamp(-LARGEST, LARGEST)


def normalised(log_values_N_C: Tensor) -> Tensor:
    """Divides the classes' probabilities by their sum."""
    return log_values_N_C.log_softmax(-1)


def _log_sum_before(log_probs_N_C: Tensor) -> Tensor:
    sums_N_C = torch.logcumsumexp(log_probs_N_C[..., :-1], -1)
    first_N_1 = torch.full_like(log_probs_N_C[..., :1], -torch.inf)
    return torch.cat([first_N_1, sums_N_C], -1)
