"""Gumbel noise: random draws without replacement by sorting.

The k largest of (ln w + noise) are k draws without replacement with chances ∝ w, in the order in which they
are drawn (Vieira 2014, https://timvieira.github.io/blog/post/2014/08/01/gumbel-max-trick-and-weighted-reservoir-sampling/;
Kool et al. 2019, https://arxiv.org/abs/1903.06059).
"""

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import generator


def drawn(log_weights_N: Tensor, batch_size: int, seed: int) -> Tensor:
    """Draws ``batch_size`` different positions with chances ∝ exp(log_weights_N)."""
    tickets_N = log_weights_N.double() + _noise(len(log_weights_N), seed).to(log_weights_N.device)
    return torch.argsort(tickets_N, descending=True, stable=True)[:batch_size]


def _noise(n: int, seed: int) -> Tensor:
    uniform_N = torch.rand(n, generator=generator(seed), dtype=torch.float64).clamp_(1e-300, 1 - 1e-16)
    return -(-uniform_N.log()).log()


def check_beta(beta: float) -> None:
    """Refuses what is no inverse temperature."""
    if not 0 <= beta < float("inf"):
        raise InvalidOption(f"beta is {beta!r}; a number of at least 0 is expected.")
