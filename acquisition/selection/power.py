"""Power: a random batch in which a candidate's chance grows with a power of its score.

Formula: top-k of β ln s + Gumbel noise, which is sampling without replacement with chances ∝ s^β. β → ∞ is
top-k, β = 0 uniform. O(N log N). Spreads a batch over a redundant pool at no cost.
Source: Kirsch et al. 2023, https://arxiv.org/abs/2106.12059. Scores may not be negative; zeros come last.
"""

from functools import partial

from torch import Tensor

from acquisition.errors import InvalidInput
from acquisition.selection.gumbel import check_beta, drawn_of
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"scores"})


def build(*, beta: float = 1.0) -> Selector:
    """Returns the selector.

    Args:
        beta: How much a larger score counts, 0 or more; 1 is the paper's default.

    Raises:
        InvalidOption: ``beta`` is negative or no number.
    """
    check_beta(beta)
    return partial(choose, beta=beta)


def choose(candidates: Candidates, batch_size: int, *, seed: int, beta: float) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their scores without the noise."""
    assert candidates.scores_N is not None
    scores_N = candidates.scores_N
    if bool((scores_N < 0).any()):
        raise InvalidInput("'power' needs scores of at least 0; use 'top_k' for negative ones.")
    return drawn_of(beta * _log(scores_N), scores_N, batch_size, seed)


def _log(scores_N: Tensor) -> Tensor:
    return scores_N.double().clamp_min(1e-300).log()
