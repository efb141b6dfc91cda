"""The best items of a pool by many networks, at little more than the cost of a few.

All items are scored by the first networks of a draw; the best of them, the contenders, by all networks.
Cost: N · first + contenders · n_samples passes in place of N · n_samples. What is found are the best
contenders, not surely the best items: ``RacedPool.recall`` estimates how many of those are among them. Memory
is O(contenders), inputs included; the pool is read once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from acquisition.catalog import needs
from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidOption
from acquisition.pool import merged, ranked_of, scored_chunks
from acquisition.prediction import drawn
from acquisition.types import Batches, Posterior, RankedPool

RUNNERS_UP = 20  # scores kept of items that were no contenders, per contender
BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class RacedPool:
    """The winners of a race.

    Attributes:
        ranked: The best contenders by all networks; ``n_items`` counts the whole pool.
        recall: Estimated share of the pool's best items, by all networks, that were contenders. 1 where all
            items were.
        n_contenders: How many items were scored by all networks.
    """

    ranked: RankedPool
    recall: float
    n_contenders: int


def race_pool(
    posterior: Posterior,
    batches: Batches,
    function: str = "bald",
    n_samples: int = 500,
    first: int = 20,
    keep: int = 100,
    contenders: int = 10,
    seed: int = 0,
    device: torch.device | str | None = None,
    **options: Any,
) -> RacedPool:
    """Finds the best items of a pool by many networks.

    Args:
        posterior: As in ``rank_pool``, like ``batches``, ``function``, ``seed``, ``device``, ``options``.
        batches: A tensor of items or any iterable of such tensors; read once.
        function: An acquisition function that looks at predictions.
        n_samples: How many networks the contenders are scored by.
        first: How many of these score all items.
        keep: How many items to find.
        contenders: How many items go on, for each that is kept; 10 to 20 are usual.
        seed: Of the draw.
        device: Where to compute; None leaves the posterior where it is.
        **options: The function's own options.

    Raises:
        InvalidOption: A count is none, ``first`` is more than ``n_samples``, or the function looks at no
            predictions.
        AcquisitionError: As ``rank_pool`` does.
    """
    _check(function, n_samples, first, keep, contenders)
    placed = posterior if device is None else posterior.to(usable(device))
    draw = drawn(placed, n_samples, seed)
    field = _Field(keep * contenders)
    for chunk, scored in scored_chunks(placed, batches, function, draw[:first], seed, 0, options):
        field.enter(chunk.inputs, scored.scores_N, scored.start)
    field.sort()
    best: dict[str, Tensor] = {}
    final = torch.empty(len(field.rows))
    for _, scored in scored_chunks(placed, field.batches(), function, draw, seed, 0, options):
        best = merged(best, scored, keep)
        final[scored.start : scored.start + len(scored.scores_N)] = scored.scores_N
    ranked = ranked_of(best, n_items=field.n_items)
    recall = _recall(field, final, ranked.scores)
    rows = torch.tensor(field.rows, dtype=torch.long)
    return RacedPool(
        ranked=replace(ranked, indices=rows[ranked.indices]), recall=recall, n_contenders=len(rows)
    )


class _Field:
    """The contenders so far with their inputs, and the scores of those just below."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.n_items = 0
        self.rows: list[int] = []
        self.items: list[Tensor] = []
        self.scores = torch.empty(0)
        self.others = torch.empty(0)

    def enter(self, inputs: Tensor, scores_N: Tensor, start: int) -> None:
        """Lets the items of a chunk in that are better than the last contender; ties go to the earlier."""
        self.n_items += len(scores_N)
        full = len(self.scores) == self.size
        better = scores_N > self.scores.min() if full else torch.ones_like(scores_N, dtype=torch.bool)
        places = better.nonzero().flatten()
        self.rows += (places + start).tolist()
        self.items += [inputs[place].clone() for place in places.tolist()]
        everyone = torch.cat([self.scores, scores_N[places].float()])
        order = everyone.argsort(descending=True, stable=True)
        inside = order[: self.size].sort().values
        self._drop(torch.cat([scores_N[~better].float(), everyone[order[self.size :]]]))
        self.rows = [self.rows[n] for n in inside.tolist()]
        self.items = [self.items[n] for n in inside.tolist()]
        self.scores = everyone[inside]

    def _drop(self, scores: Tensor) -> None:
        others = torch.cat([self.others, scores])
        limit = RUNNERS_UP * self.size
        self.others = others.topk(limit).values if len(others) > limit else others

    def sort(self) -> None:
        """Puts items of one shape side by side, rows rising, so that they make batches."""
        shapes = [tuple(item.shape) for item in self.items]
        order = sorted(range(len(self.rows)), key=lambda n: (shapes.index(shapes[n]), self.rows[n]))
        self.rows = [self.rows[n] for n in order]
        self.items = [self.items[n] for n in order]
        self.scores = self.scores[order]

    def batches(self) -> Iterator[Tensor]:
        """Yields the contenders' inputs."""
        first = 0
        while first < len(self.items):
            last = first
            end = min(len(self.items), first + BATCH)
            while last < end and self.items[first].shape == self.items[last].shape:
                last += 1
            yield torch.stack(self.items[first:last])
            first = last


def _recall(field: _Field, final: Tensor, winners: Tensor) -> float:
    """Estimates which share of the best items were contenders.

    What more networks change is read from the weaker half of the contenders, whose first scores are nearest
    to those of the items left out; it is taken as normal, and added to the scores of these.
    """
    if not len(field.others):
        return 1.0
    weaker = field.scores <= field.scores.median()
    change = (final - field.scores)[weaker]
    spread = float(change.std(correction=0)) + 1e-12
    above = (field.others + change.mean() - winners.min()) / spread
    chance = 0.5 * torch.erfc(-above / math.sqrt(2))
    unseen = field.n_items - len(field.scores) - len(field.others)
    missed = float(chance.sum()) + unseen * float(chance.min())
    return max(0.0, 1 - missed / len(winners))


def _check(function: str, n_samples: int, first: int, keep: int, contenders: int) -> None:
    for name, value in {"first": first, "keep": keep, "contenders": contenders}.items():
        check_count(name, value)
    check_count("n_samples", n_samples)
    if first > n_samples:
        raise InvalidOption(f"first is {first}, more than n_samples, {n_samples}.")
    if "log_probs" not in needs("functions", function):
        raise InvalidOption(f"{function!r} looks at no predictions, so nothing can race. Use rank_pool.")
