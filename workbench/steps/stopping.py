"""Whether stopping rules say that enough is labeled, from what the rounds have left behind.

A round's record is its budget point and what the model that chose its batch predicted of the pool: the score
files. That model learnt from the rounds before, so rules that compare predictions speak one round late.
"""

import heapq
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from math import isnan

import numpy as np
import torch

import acquisition
from acquisition import History, LabelingRound
from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import BudgetPoint
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed
from workbench.steps.parts import Parts
from workbench.storage.shards import Scores, read_scores

#: Rounds whose predictions are compared, and items of the stop set at most.
ROUNDS, ITEMS = 8, 2000
#: Half the width of a 95 % interval in standard errors.
WIDTH = 1.96


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


def history(parts: Parts) -> History:
    """The closed rounds as the stopping rules want them."""
    with parts.store.read() as tx:
        closed = [r for r in tx.rounds.all(parts.project.id) if r.state is RoundState.CLOSED]
        points = {point.round_number: point for point in tx.results.budget_points(parts.project.id)}
    known = [found for found in closed if found.number in points]
    drawn = _stop_set(parts, known[-1]) if known else set()
    scores = {found.number: _scores(parts, found, drawn) for found in known[-ROUNDS:]}
    there = [set(found) for found in scores.values() if found]
    # Scored in every round, so never labeled: the same items for all.
    keys = sorted(set.intersection(*there)) if there else []
    return History(
        rounds=tuple(_record(points[found.number], scores.get(found.number, {}), keys) for found in known)
    )


def _stop_set(parts: Parts, newest: Round) -> set[str]:
    """Items that were scored last, drawn by a hash where there are many."""

    def place(key: str) -> tuple[int, str]:
        return derive_seed(parts.project.seed, "stop-set", key), key

    drawn: list[str] = []
    for table in _tables(parts, newest):
        drawn = heapq.nsmallest(ITEMS, [*drawn, *table.keys], key=place)
    return set(drawn)


def _scores(parts: Parts, found: Round, drawn: Container[str]) -> dict[str, tuple[int, float]]:
    """Predicted class and entropy of the drawn items as they were scored for a round."""
    scores: dict[str, tuple[int, float]] = {}
    for table in _tables(parts, found):
        entropies = np.maximum(table.columns["predictive_entropy"].astype(float), 0.0).tolist()
        rows = zip(table.keys, table.predicted_N.tolist(), entropies, strict=True)
        scores |= {key: (predicted, entropy) for key, predicted, entropy in rows if key in drawn}
    return scores


def _tables(parts: Parts, found: Round) -> Iterator[Scores]:
    """The score files of a round; one that is lost tells nothing."""
    for path in sorted(parts.scores_directory(found).glob("part-*.parquet")):
        with suppress(ArtifactProblem):
            yield read_scores(path)


def _record(point: BudgetPoint, scores: dict[str, tuple[int, float]], keys: Sequence[str]) -> LabelingRound:
    seen = [scores[key] for key in keys] if scores else []
    width = (point.high - point.low) / 2 / WIDTH if point.low is not None and point.high is not None else None
    return LabelingRound(
        n_labels=point.labels,
        predicted_N=torch.tensor([predicted for predicted, _ in seen]) if seen else None,
        mean_entropy=sum(entropy for _, entropy in seen) / len(seen) if seen else None,
        accuracy=point.value,
        standard_error=width or None,
        cost=point.cost or None,
    )
