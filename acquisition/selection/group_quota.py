"""Group quota: a batch with a balanced or limited share of each given group, chosen by another selector.

Formula: groups are integers that come with the candidates (a predicted class, a source, a customer). balance
"equal" or "proportional" fixes how many each group gives (largest remainder; what a group can not give goes
to the others) and the inner selector chooses as many within each; groups take turns in the batch. With
balance "free" the inner selector's own order over all candidates is kept. In each case no group gives more
than ``largest_share`` of the batch (rounded up) unless the others have too few: then the limit is lifted by
as little as needed. ``gains`` are the inner selector's. Cost: the inner selector's; with "free" it is asked
for twice as many until enough are there.
When: rare classes or sources have to be in each batch ("equal"), or one must not flood it ("free" and
``largest_share``). To tune: ``largest_share``.
Source: balanced selection by predicted class, as in Bengar et al. 2022, https://arxiv.org/abs/2110.04543.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.selection.inner import built_inner, down_the_order
from acquisition.selection.quotas import by_group, check_balance, lifted, quotas
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"groups"})


def build(
    *,
    inner: str = "top_k",
    inner_options: Mapping[str, Any] | None = None,
    balance: Literal["equal", "proportional", "free"] = "equal",
    largest_share: float = 1.0,
) -> Selector:
    """Returns the selector.

    Args:
        inner: The selector that chooses within each group.
        inner_options: Its options.
        balance: "equal" shares, shares "proportional" to the groups' sizes among the candidates, or "free".
        largest_share: Most of the batch that one group may give, above 0 and at most 1.

    Raises:
        UnknownMethod: There is no such inner selector.
        InvalidOption: An option that is not known or outside its range.
    """
    check_balance(balance, "free")
    if not 0 < largest_share <= 1:
        raise InvalidOption(f"largest_share is {largest_share!r}; above 0 and at most 1 is expected.")
    return partial(
        choose, inner=built_inner(inner, inner_options), balance=balance, largest_share=largest_share
    )


def choose(
    candidates: Candidates, batch_size: int, *, seed: int, inner: Selector, balance: str, largest_share: float
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the inner selector's."""
    assert candidates.groups_N is not None
    _, owner_N, sizes = torch.unique(candidates.groups_N, return_inverse=True, return_counts=True)
    sizes_G = sizes.cpu().numpy()
    most = lifted(sizes_G, batch_size, math.ceil(largest_share * batch_size - 1e-9))
    if balance == "free":
        return down_the_order(
            candidates, batch_size, inner, seed, lambda rows: _places(owner_N[rows.to(owner_N.device)]) < most
        )
    return by_group(candidates, owner_N, quotas(sizes_G, batch_size, balance, most), inner, seed)


def _places(owner_n: Tensor) -> Tensor:
    """Counts how many of the same group come before each."""
    order = owner_n.argsort(stable=True)
    sorted_n = owner_n[order]
    starts_n = torch.searchsorted(sorted_n, sorted_n)
    places_n = torch.empty_like(owner_n)
    places_n[order] = torch.arange(len(owner_n), device=owner_n.device) - starts_n
    return places_n
