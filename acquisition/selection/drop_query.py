"""DropQuery: candidates whose dropout samples contradict the prediction, one near the centre of each cluster.

Formula: ŷ = argmax_c of the mean of the T predictions (the consensus), disagreement = share of the T samples
whose own argmax is not ŷ; candidates that disagree in at least half of the samples go through k-means into k
clusters, and the one nearest to each centre is chosen, the largest cluster first. The paper takes the
prediction without dropout as ŷ; samples of a posterior have only their mean. Where fewer than the batch
disagree so much, the next most disagreeing fill up (the surest by mean probability last). ``gains`` are the
disagreements, 0 ≤ gain ≤ 1.
Cost: O(T·N·C), then k-means of the candidates that are left, O(n·D·k) per pass. The seed is that of k-means.
When: frozen features of a large model with a small head and dropout, batches of ten to hundreds. To tune: the
dropout of the posterior (the paper: T = 3 at 0.75) more than ``disagreement``.
Source: Gupte et al. 2024, https://arxiv.org/abs/2401.14555.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.selection import kmeans
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"log_probs", "features"})


def build(*, disagreement: float = 0.5) -> Selector:
    """Returns the selector.

    Args:
        disagreement: Least share of samples that contradict the consensus, above 0 and at most 1.

    Raises:
        InvalidOption: ``disagreement`` is outside its range.
    """
    if not 0 < disagreement <= 1:
        raise InvalidOption(f"disagreement is {disagreement!r}; above 0 and at most 1 is expected.")
    return partial(choose, disagreement=disagreement)


def choose(candidates: Candidates, batch_size: int, *, seed: int, disagreement: float) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are their disagreements."""
    assert candidates.log_probs_T_N_C is not None
    assert candidates.features_N_D is not None
    disagreement_N, surety_N = disagreements(candidates.log_probs_T_N_C)
    rows = (disagreement_N >= disagreement - 1e-9).nonzero()[:, 0]
    if len(rows) <= batch_size:
        by_surety = surety_N.argsort(stable=True)
        order = by_surety[disagreement_N[by_surety].argsort(descending=True, stable=True)]
        indices = order[:batch_size]
    else:
        features = Candidates(features_N_D=candidates.features_N_D.cpu()[rows.cpu()])
        indices = rows[kmeans.choose(features, batch_size, seed=seed).indices.to(rows.device)]
    return Selection(indices, disagreement_N[indices])


def disagreements(log_probs_T_N_C: Tensor) -> tuple[Tensor, Tensor]:
    """Computes the share of samples that contradict the mean prediction, and its largest probability."""
    surety_N, consensus_N = log_probs_T_N_C.exp().mean(0).max(-1)
    return (log_probs_T_N_C.argmax(-1) != consensus_N).float().mean(0), surety_N
