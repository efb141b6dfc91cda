"""Whether stopping rules say that enough is labeled, from what the rounds have left behind.

A round's record is its budget point and what the model that chose its batch predicted of the pool: the score
files. That model learnt from the rounds before, so rules that compare predictions speak one round late.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import acquisition
from acquisition import History, LabelingRound
from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import BudgetPoint
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed
from workbench.steps.parts import Parts
from workbench.storage.shards import seen_rows

#: Rounds whose predictions are compared, and items of the stop set at most.
ROUNDS, ITEMS = 8, 2000
#: Half the width of a 95 % interval in standard errors.
WIDTH = 1.96
#: Rows of one shard at most: a row's place in the pool is one number.
SHARD = 2**40
#: Multipliers of a hash of 64 bits: Steele, Lea and Flood 2014, https://doi.org/10.1145/2660193.2660195.
MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


class Closing(NamedTuple):
    """A round that is about to be closed, and what its budget point will be."""

    held: Round
    point: BudgetPoint


class Seen(NamedTuple):
    """What a round's scores say of items, by their places in the pool, ascending."""

    place_N: NDArray[Any]
    predicted_N: NDArray[Any]
    entropy_N: NDArray[Any]

    def at(self, place_M: NDArray[Any]) -> "Seen":
        """Only those at some places, which ascend."""
        if not len(self.place_N):
            return self
        row_M = np.minimum(np.searchsorted(self.place_N, place_M), len(self.place_N) - 1)
        rows = row_M[self.place_N[row_M] == place_M]
        return Seen(*(column[rows] for column in self))


def stops(parts: Parts, rules: Sequence[str]) -> str | None:
    """The first rule that says stop, in words; None while none does."""
    if not rules:
        return None
    told = history(parts)
    for rule in rules:
        verdict = acquisition.stop(rule, told)
        if verdict.stop and not isnan(verdict.value):
            return f"the stopping rule {rule} says so: {verdict.reason}"
    return None


def history(parts: Parts, closing: Closing | None = None) -> History:
    """The closed rounds as the stopping rules want them, and the one that is being closed."""
    with parts.store.read() as tx:
        closed = [r for r in tx.rounds.all(parts.project.id) if r.state is RoundState.CLOSED]
        points = {point.round_number: point for point in tx.results.budget_points(parts.project.id)}
    known = [found for found in closed if found.number in points]
    if closing is not None:
        known, points = [*known, closing.held], {**points, closing.held.number: closing.point}
    drawn = _stop_set(parts, known[-1]) if known else np.array([], np.int64)
    seen = {found.number: _seen(parts, found).at(drawn) for found in known[-ROUNDS:]}
    there = [found.place_N for found in seen.values() if len(found.place_N)]
    # Scored in every round, so never labeled: the same items for all.
    same = reduce(np.intersect1d, there) if there else np.array([], np.int64)
    return History(
        rounds=tuple(
            _record(points[found.number], seen[found.number].at(same) if found.number in seen else None)
            for found in known
        )
    )


def _stop_set(parts: Parts, newest: Round) -> NDArray[Any]:
    """Places of items that were scored last, ascending; drawn by a hash where there are many."""
    place_N = _seen(parts, newest).place_N
    if len(place_N) <= ITEMS:
        return place_N
    mixed_N = place_N.astype(np.uint64) + np.uint64(derive_seed(parts.project.seed, "stop-set"))
    for shift, mixer in zip(SHIFTS, MIXERS, strict=False):
        mixed_N = (mixed_N ^ (mixed_N >> shift)) * mixer
    mixed_N ^= mixed_N >> SHIFTS[-1]
    return np.sort(place_N[np.argpartition(mixed_N, ITEMS)[:ITEMS]])


def _seen(parts: Parts, found: Round) -> Seen:
    """The score files of a round; one that is lost tells nothing."""
    tables = []
    for path in sorted(parts.scores_directory(found).glob("part-*.parquet")):
        with suppress(ArtifactProblem):
            rows = seen_rows(path)
            place_N = int(path.stem.removeprefix("part-")) * SHARD + rows.rows_N
            order = np.argsort(place_N)
            tables.append((place_N[order], rows.predicted_N[order], rows.entropy_N[order]))
    if not tables:
        return Seen(np.array([], np.int64), np.array([], np.int64), np.array([]))
    return Seen(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))


def _record(point: BudgetPoint, seen: Seen | None) -> LabelingRound:
    some = seen is not None and len(seen.place_N) > 0
    entropy = float(np.maximum(seen.entropy_N.astype(float), 0.0).mean()) if seen and some else None
    width = (point.high - point.low) / 2 / WIDTH if point.low is not None and point.high is not None else None
    return LabelingRound(
        n_labels=point.labels,
        predicted_N=torch.from_numpy(seen.predicted_N.astype(np.int64)) if seen and some else None,
        mean_entropy=entropy,
        accuracy=point.value,
        standard_error=width or None,
        cost=point.cost or None,
    )
