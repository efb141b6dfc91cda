"""Minibatches without end, and the progress of a training in several phases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from acquisition.training import Recipe, batches
from acquisition.types import Progress


class Minibatch(NamedTuple):
    """The items of one step."""

    epoch: int
    rows: Tensor


def minibatches(n_items: int, recipe: Recipe, seed: int, first_epoch: int = 0) -> Iterator[Minibatch]:
    """Yields the steps of epoch after epoch, each epoch in an order of its own; never ends."""
    for epoch in itertools.count(first_epoch):
        for rows in batches(n_items, recipe, seed, epoch):
            yield Minibatch(epoch, rows)


def phase(progress: Progress, before: int, n_own: int, after: int = 0) -> Progress:
    """Returns the progress of one phase as a part of the whole, in units that all phases share."""
    return lambda done, total: progress(before + n_own * done // total, before + n_own + after)
