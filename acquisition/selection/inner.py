"""The selector inside a selector: the options ``inner`` and ``inner_options``, and going down its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from acquisition.catalog import build
from acquisition.errors import InvalidOption
from acquisition.types import Candidates, Selection, Selector


def built_inner(inner: str, inner_options: Mapping[str, Any] | None) -> Selector:
    """Builds the inner selector; what it needs of the candidates is checked at the wrapper's door.

    Raises:
        UnknownMethod: There is no such selector.
        InvalidOption: The inner selector does not take an option.
    """
    if inner_options is not None and not isinstance(inner_options, Mapping):
        raise InvalidOption(f"inner_options is {inner_options!r}; options by name are expected.")
    return cast(Selector, build("selectors", inner, inner_options or {}))


def down_the_order(
    candidates: Candidates, batch_size: int, inner: Selector, seed: int, kept: Callable[[Tensor], Tensor]
) -> Selection:
    """Takes the first of the inner selector's order that are kept.

    The inner selector is asked for twice as many until enough are kept. Where it has ordered all candidates
    and too few are kept, the first of the others fill up, after the kept ones.

    Args:
        candidates: Those of the wrapper.
        batch_size: How many to take.
        inner: Gives the order.
        seed: For the inner selector.
        kept: Says of rows in order, each in view of those before it, which are kept.
    """
    asked = batch_size
    while True:
        chosen = inner(candidates, asked, seed=seed)
        good = kept(chosen.indices).to(chosen.indices.device)
        if int(good.sum()) >= batch_size or asked == len(candidates):
            break
        asked = min(2 * asked, len(candidates))
    order = torch.cat([good.nonzero()[:, 0], (~good).nonzero()[:, 0]])[:batch_size]
    return Selection(chosen.indices[order], chosen.gains[order])
