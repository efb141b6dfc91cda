"""Softmax: a random batch in which a candidate's chance grows exponentially with its score.

Formula: top-k of β s + Gumbel noise, which is sampling without replacement with chances ∝ exp(β s). Only
differences of scores count, so they may be negative. β → ∞ is top-k, β = 0 uniform. O(N log N).
When: scores that are no quantity with a zero, such as differential entropies; for information use ``power``.
Scores below one nat differ little under β = 1: raise β to 1 / (the differences that matter).
Source: Kirsch et al. 2023, https://arxiv.org/abs/2106.12059.
"""

from functools import partial

from acquisition.selection.gumbel import check_beta, drawn_of
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"scores"})


def build(*, beta: float = 1.0) -> Selector:
    """Returns the selector.

    Args:
        beta: Inverse temperature, 0 or more, in one over the unit of the scores; 1 is the paper's default.

    Raises:
        InvalidOption: ``beta`` is negative or no number.
    """
    check_beta(beta)
    return partial(choose, beta=beta)


def choose(candidates: Candidates, batch_size: int, *, seed: int, beta: float) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their scores without the noise."""
    assert candidates.scores_N is not None
    scores_N = candidates.scores_N
    return drawn_of(beta * scores_N.double(), scores_N, batch_size, seed)
