"""Top-k: the candidates of largest score, best first.

Formula: argsort of the scores, falling; of equal scores the lowest index comes first. O(N log N).
Cheap and predictable; it may take near-duplicates together, which ``power`` avoids.
"""

import torch

from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"scores"})


def build() -> Selector:
    """Returns the selector; it has no options."""
    return choose


def choose(candidates: Candidates, batch_size: int, *, seed: int) -> Selection:  # noqa: ARG001 - one signature
    """Chooses ``batch_size`` candidates; ``gains`` are their scores."""
    assert candidates.scores_N is not None
    scores_N = candidates.scores_N
    indices = torch.argsort(scores_N, descending=True, stable=True)[:batch_size]
    return Selection(indices, scores_N[indices])
