"""Power: a random batch in which a candidate's chance grows with a power of its score.

Formula: top-k of β ln s + Gumbel noise, which is sampling without replacement with chances ∝ s^β. β → ∞ is
top-k, β = 0 uniform. O(N log N). Spreads a batch over a redundant pool at no cost.
Source: Kirsch et al. 2023, https://arxiv.org/abs/2106.12059. Scores may not be negative; zeros come last.
"""

from functools import partial

import torch
from torch import Tensor

from acquisition.errors import InvalidInput, InvalidOption
from acquisition.randomness import generator
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"scores"})


def build(*, beta: float = 1.0) -> Selector:
    """Returns the selector.

    Args:
        beta: How much a larger score counts, 0 or more; 1 is the paper's default.

    Raises:
        InvalidOption: ``beta`` is negative or no number.
    """
    if not 0 <= beta < float("inf"):
        raise InvalidOption(f"beta is {beta!r}; a number of at least 0 is expected.")
    return partial(choose, beta=beta)


def choose(candidates: Candidates, batch_size: int, *, seed: int, beta: float) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their scores without the noise."""
    assert candidates.scores_N is not None
    scores_N = candidates.scores_N
    if bool((scores_N < 0).any()):
        raise InvalidInput("'power' needs scores of at least 0; use 'top_k' for negative ones.")
    tickets_N = beta * _log(scores_N) + _gumbel(len(scores_N), seed).to(scores_N.device)
    indices = torch.argsort(tickets_N, descending=True, stable=True)[:batch_size]
    return Selection(indices, scores_N[indices])


def _log(scores_N: Tensor) -> Tensor:
    return scores_N.double().clamp_min(1e-300).log()


def _gumbel(n: int, seed: int) -> Tensor:
    uniform_N = torch.rand(n, generator=generator(seed), dtype=torch.float64).clamp_(1e-300, 1 - 1e-16)
    return -(-uniform_N.log()).log()
