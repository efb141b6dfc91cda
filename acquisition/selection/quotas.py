"""How many of a batch each group gives, and a batch with so many of each."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.randomness import derived_seed
from acquisition.types import Candidates, Selection, Selector

Balance = Literal["equal", "proportional"]


def check_balance(balance: str, *others: str) -> None:
    """Refuses a balance that does not exist."""
    known = (*get_args(Balance), *others)
    if balance not in known:
        raise InvalidOption(f"balance is {balance!r}; one of {', '.join(known)} is expected.")


def quotas(sizes_G: NDArray[Any], batch_size: int, balance: str, most: int | None = None) -> NDArray[Any]:
    """Divides a batch over groups that together have and may give enough.

    Each group gets a share that is equal, or proportional to its size, but no more than it has and than
    ``most``; what it can not give goes to the others by the same rule. Shares are rounded by the largest
    remainder; of equal remainders the larger group's comes first, then that of the lower number.
    """
    limits_G = sizes_G if most is None else np.minimum(sizes_G, most)
    weights_G = sizes_G.astype(float) if balance == "proportional" else np.ones(len(sizes_G))
    exact_G = _filled(weights_G, limits_G, batch_size)
    counts_G: NDArray[Any] = np.floor(exact_G + 1e-9).astype(int)
    remainders_G = np.round(exact_G - counts_G, 9)
    order_G = np.lexsort((-sizes_G, -remainders_G, counts_G >= limits_G))
    counts_G[order_G[: batch_size - counts_G.sum()]] += 1
    return counts_G


def lifted(sizes_G: NDArray[Any], batch_size: int, most: int) -> int:
    """Lifts a limit of what a group may give until all groups together have enough."""
    while np.minimum(sizes_G, most).sum() < batch_size:
        most += 1
    return most


def _filled(weights_G: NDArray[Any], limits_G: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """Shares without rounding: full groups stay at their limits, the others share by weight."""
    full_G = limits_G == 0
    while True:
        left = batch_size - limits_G[full_G].sum()
        total = weights_G[~full_G].sum()
        shares_G = np.where(full_G, limits_G, weights_G * left / max(total, 1e-300))
        over_G = ~full_G & (shares_G >= limits_G)
        if not over_G.any():
            return shares_G
        full_G |= over_G


def by_group(
    candidates: Candidates, owner_N: Tensor, quotas_G: NDArray[Any], inner: Selector, seed: int
) -> Selection:
    """Lets the inner selector choose so many of each group; groups take turns, the largest quota first."""
    indices, gains, turns = [], [], []
    for group in np.argsort(-quotas_G, kind="stable"):
        if quotas_G[group] == 0:
            break
        rows = (owner_N == int(group)).nonzero()[:, 0]
        chosen = inner(candidates[rows], int(quotas_G[group]), seed=derived_seed(seed, int(group)))
        indices.append(rows[chosen.indices.to(rows.device)])
        gains.append(chosen.gains)
        turns.append(torch.arange(len(chosen.indices)))
    order = torch.cat(turns).argsort(stable=True)
    return Selection(torch.cat(indices)[order], torch.cat(gains)[order])
