"""Per cost: a score per expected second of an annotator, or per any other price of an item.

Formula: s / cost, or s / cost^power; the scores may not be negative, costs are above 0. ``power`` below 1
trusts the estimated costs less. Source: return on investment, Haertel et al. 2008; Settles, Craven and
Friedland 2008, Active learning with real annotation costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from acquisition.errors import InvalidInput, InvalidOption
from acquisition.types import Composition


def build(*, costs: Tensor | None = None, power: float = 1.0) -> Composition:
    """Returns the composition.

    Args:
        costs: costs_N, one above 0 per item, such as expected seconds.
        power: How much costs count, 0 to 1.

    Raises:
        InvalidOption: No costs, one that is not above 0, or a power outside its range.
    """
    if costs is None:
        raise InvalidOption("'per_cost' divides by what items cost: give costs=costs_N.")
    if not bool((costs.isfinite() & (costs > 0)).all()):
        raise InvalidOption("Costs are to be finite and above 0.")
    if not 0 <= power <= 1:
        raise InvalidOption(f"power is {power!r}; a number from 0 to 1 is expected.")
    return partial(compose, costs_N=costs, power=power)


def compose(scores: Mapping[str, Tensor], *, costs_N: Tensor, power: float) -> Tensor:
    """Computes scores_N."""
    if len(scores) != 1:
        raise InvalidInput(f"'per_cost' takes one score, found {', '.join(scores)}: compose those first.")
    (scores_N,) = scores.values()
    if costs_N.shape != scores_N.shape:
        raise InvalidInput(f"There are {len(scores_N)} scores and costs of shape {list(costs_N.shape)}.")
    if bool((scores_N < 0).any()):
        raise InvalidInput("'per_cost' needs scores of at least 0: a dear item would gain by a negative one.")
    return scores_N / costs_N.to(scores_N) ** power
