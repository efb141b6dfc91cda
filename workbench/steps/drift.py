"""Whether what the pool has received differs from what it held: a sample of both, as the model sees them."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.diagnostics import drift
from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import PoolShard
from workbench.domain.seeds import derive_seed
from workbench.learning.encoders.protocol import Payload
from workbench.steps.parts import Parts
from workbench.steps.schedule_facts import DRIFTED, STEADY
from workbench.steps.score import available_rows

#: Items of each side.
SAMPLE = 400


class Finding(NamedTuple):
    """Whether the pool has drifted, and what the test says."""

    drifted: bool
    words: str


def find_drift(parts: Parts, *, since: datetime, alpha: float) -> Finding:
    """Compare what was added after ``since`` with what was there before, and note what was found.

    By the predictions of the newest model; by the encoder's features while there is none. The same pool gives
    the same finding.
    """
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
        unavailable = tx.pool.unavailable(parts.project.id)
    old = _sample(parts, [shard for shard in shards if shard.created_at <= since], unavailable)
    new = _sample(parts, [shard for shard in shards if shard.created_at > since], unavailable)
    found = _compare(parts, old, new, alpha)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        tx.results.note(parts.project.id, DRIFTED if found.drifted else STEADY, found.words)
    return found


def _compare(parts: Parts, old: Sequence[Payload], new: Sequence[Payload], alpha: float) -> Finding:
    if min(len(old), len(new)) < 2:
        return Finding(drifted=False, words=f"{len(new)} new items are too few to compare with {len(old)}")
    seed = derive_seed(parts.project.seed, "drift")
    predicted = _predicted(parts, [old, new], seed)
    if predicted is not None:
        tested = drift(*predicted, kind="predictions", alpha=alpha, seed=seed)
    else:
        features = torch.from_numpy(parts.learner.coverage([old, new], seed=seed))
        tested = drift(features[: len(old)], features[len(old) :], kind="features", alpha=alpha, seed=seed)
    return Finding(drifted=tested.drifted, words=tested.verdict)


def _predicted(parts: Parts, sides: Sequence[Sequence[Payload]], seed: int) -> list[Tensor] | None:
    """Log-probabilities of both sides; None without a model that can be read."""
    with parts.store.read() as tx:
        runs = tx.results.runs(parts.project.id)
    if not runs:
        return None
    try:
        posterior = parts.learner.load(parts.directory / runs[-1].uri, runs[-1].sha256)
    except ArtifactProblem:
        return None
    return [parts.learner.sampled_all(posterior, [side], seed=seed) for side in sides]


def _sample(parts: Parts, shards: Iterable[PoolShard], unavailable: set[str]) -> list[Payload]:
    """Draw by a hash of the key, so the order of shards does not matter."""
    seed = parts.project.seed
    drawn: list[tuple[int, str, Payload]] = []
    for shard in shards:
        for rows in available_rows(parts, shard, unavailable):
            there = [(derive_seed(seed, "drift", row.key), row.key, row.payload) for row in rows]
            drawn = heapq.nsmallest(SAMPLE, [*drawn, *there], key=lambda place: place[:2])
    return [payload for _, _, payload in drawn]
