"""Cluster quota: a batch spread over k-means clusters, inside of which another selector chooses.

Formula: k-means of the features into ``clusters``; each gives an equal share of the batch, or one
proportional to its size (largest remainder; what a cluster can not give goes to the others); the inner
selector chooses as many within each. Clusters take turns in the batch, the largest quota first. ``gains`` are
the inner selector's.
Cost: O(N·D·clusters) per pass of k-means, then the inner selector's. The seed is that of k-means and of the
inner.
When: a score picks too much of the same kind. "equal" with as many clusters as the batch is the best-scored
item of each cluster; "proportional" with few clusters keeps the pool's mixture. To tune: ``clusters``.
Source: the cluster-then-score scheme of Citovsky et al. 2021, https://arxiv.org/abs/2107.14263, with k-means.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from acquisition.checks import check_count
from acquisition.selection.clustering import clustered
from acquisition.selection.distances import flat
from acquisition.selection.inner import built_inner
from acquisition.selection.quotas import Balance, by_group, check_balance, quotas
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"features"})


def build(
    *,
    inner: str = "top_k",
    inner_options: Mapping[str, Any] | None = None,
    clusters: int | None = None,
    balance: Balance = "equal",
) -> Selector:
    """Returns the selector.

    Args:
        inner: The selector that chooses within each cluster.
        inner_options: Its options.
        clusters: How many clusters; None takes as many as the batch is large.
        balance: "equal" shares, or "proportional" to the clusters' sizes.

    Raises:
        UnknownMethod: There is no such inner selector.
        InvalidOption: An option that is not known or outside its range.
    """
    check_balance(balance)
    if clusters is not None:
        check_count("clusters", clusters)
    return partial(choose, inner=built_inner(inner, inner_options), clusters=clusters, balance=balance)


def choose(
    candidates: Candidates,
    batch_size: int,
    *,
    seed: int,
    inner: Selector,
    clusters: int | None,
    balance: Balance,
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the inner selector's."""
    assert candidates.features_N_D is not None
    points_N_D = flat(candidates.features_N_D).cpu().numpy()
    owner_N = clustered(points_N_D, clusters or batch_size, seed).owner_N
    shares_G = quotas(np.bincount(owner_N), batch_size, balance)
    owners = torch.from_numpy(owner_N).to(candidates.features_N_D.device)
    return by_group(candidates, owners, shares_G, inner, seed)
