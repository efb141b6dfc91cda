"""Random share: a part of the batch is drawn uniformly at random, the rest is chosen by another selector.

The random part is drawn from all candidates before anything is chosen, so it stands for the whole pool: with
the recorded chance R/N of each draw it gives unbiased estimates (of accuracy, of class shares) that chosen
items can not give. The rest is chosen among what is left. The order mixes both, a random one never first
unless there are only random ones, so that nobody who labels can tell which is which.
R is ``share`` · k; a fraction is rounded up or down at random, so that R is that on average.
Cost: that of the inner selector plus O(N). Tune ``share``: 0.1 to 0.2 is enough to see the model's errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import floor
from typing import Any

import torch
from torch import Tensor

from acquisition.catalog import build as built
from acquisition.choosing import select
from acquisition.errors import InvalidOption
from acquisition.randomness import derived_seed, generator
from acquisition.types import Candidates, Selection, Selector

NEEDS: frozenset[str] = frozenset()


def build(
    *, share: float = 0.1, inner: str = "power", inner_options: Mapping[str, Any] | None = None
) -> Selector:
    """Returns the selector.

    Args:
        share: The part of the batch that is drawn at random, from 0 to 1.
        inner: The selector that chooses the rest; the candidates must have what it needs.
        inner_options: Its options.

    Raises:
        UnknownMethod: There is no such inner selector.
        InvalidOption: ``share`` is no part, or the inner selector does not take an option.
    """
    if not 0 <= share <= 1:
        raise InvalidOption(f"share is {share!r}; a number from 0 to 1 is expected.")
    options = dict(inner_options or {})
    built("selectors", inner, options)
    return partial(choose, share=share, inner=inner, options=options)


def choose(
    candidates: Candidates,
    batch_size: int,
    *,
    seed: int,
    share: float,
    inner: str,
    options: Mapping[str, Any],
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the inner selector's, and 0 of random ones.

    ``propensities`` hold R/N for what was drawn at random and NaN for what was chosen.
    """
    n = len(candidates)
    rng = generator(derived_seed(seed, 0))
    count = _count(batch_size * share, rng)
    shuffled_N = torch.randperm(n, generator=rng)
    drawn, left = shuffled_N[:count], shuffled_N[count:].sort().values
    chosen, gains = _chosen(candidates, left, batch_size - count, seed, inner, options)
    order = _mixed(len(chosen), count, rng)
    gains_K = torch.cat([gains, gains.new_zeros(count)])[order]
    chances_K = torch.cat([torch.full((len(chosen),), torch.nan), torch.full((count,), count / n)])[order]
    return Selection(torch.cat([chosen, drawn])[order], gains_K).with_propensities(chances_K)


def _count(exact: float, rng: torch.Generator) -> int:
    whole = floor(exact)
    return whole + int(float(torch.rand((), generator=rng, dtype=torch.float64)) < exact - whole)


def _chosen(
    candidates: Candidates, left: Tensor, size: int, seed: int, inner: str, options: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    if size == 0:
        return torch.empty(0, dtype=torch.long), torch.empty(0)
    indices, gains = select(inner, candidates[left], size, derived_seed(seed, 1), **options)
    return left[indices.cpu()], gains.cpu()


def _mixed(n_chosen: int, n_random: int, rng: torch.Generator) -> list[int]:
    """Orders chosen and random ones: the chosen keep their order, random ones get places behind the first."""
    order = list(range(n_chosen))
    for number in range(n_chosen, n_chosen + n_random):
        place = int(torch.randint(1, len(order) + 1, (), generator=rng)) if order else 0
        order.insert(place, number)
    return order
