"""Gumbel noise: random draws without replacement by sorting.

The k largest of (ln w + noise) are k draws without replacement with chances ∝ w, in the order in which they
are drawn: the k-th is candidate i with the chance w_i / Σ_j w_j over those that are left (Vieira 2014, https://timvieira.github.io/blog/post/2014/08/01/gumbel-max-trick-and-weighted-reservoir-sampling/;
Kool et al. 2019, https://arxiv.org/abs/1903.06059).
"""

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import generator
from acquisition.types import Selection


def drawn(log_weights_N: Tensor, batch_size: int, seed: int) -> Tensor:
    """Draws ``batch_size`` different positions with chances ∝ exp(log_weights_N)."""
    tickets_N = log_weights_N.double() + _noise(len(log_weights_N), seed).to(log_weights_N.device)
    return torch.argsort(tickets_N, descending=True, stable=True)[:batch_size]


def drawn_of(log_weights_N: Tensor, scores_N: Tensor, batch_size: int, seed: int) -> Selection:
    """Draws a batch; ``gains`` are the scores, ``proposals`` the chances of the draws."""
    indices = drawn(log_weights_N, batch_size, seed)
    return Selection(indices, scores_N[indices]).with_proposals(proposals(log_weights_N, indices))


def proposals(log_weights_N: Tensor, indices: Tensor) -> Tensor:
    """Computes the chance of each draw given those before it: w_i / (Σ w − Σ_{drawn before} w), in float64.

    What is left is summed from the end, so nothing is subtracted and no weight is lost to a larger one.
    """
    weights_N = log_weights_N.double()
    left = torch.ones(len(weights_N), dtype=torch.bool, device=weights_N.device)
    left[indices] = False
    rest = weights_N[left].logsumexp(0, keepdim=True)
    from_end_K = torch.cat([rest, weights_N[indices].flip(0)]).logcumsumexp(0)[1:].flip(0)
    return (weights_N[indices] - from_end_K).exp().clamp_max(1.0)


def _noise(n: int, seed: int) -> Tensor:
    uniform_N = torch.rand(n, generator=generator(seed), dtype=torch.float64).clamp_(1e-300, 1 - 1e-16)
    return -(-uniform_N.log()).log()


def check_beta(beta: float) -> None:
    """Refuses what is no inverse temperature."""
    if not 0 <= beta < float("inf"):
        raise InvalidOption(f"beta is {beta!r}; a number of at least 0 is expected.")
