"""Planned → scored: give every available pool item a score, streaming, shard by shard.

Scores go to Parquet beside the pool. A part that is there and was made by the same model, function and
shard is kept, so a stopped scoring goes on where it was.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.catalog import needs
from workbench.domain.records import PoolShard
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed
from workbench.learning.encoders.protocol import Payload
from workbench.steps.convergence import find_convergence, keep_convergence
from workbench.steps.models import Trained, examples, model_for, teaches
from workbench.steps.parts import Parts, Report
from workbench.storage.shards import (
    SCORE_COLUMNS,
    PoolRow,
    Scores,
    read_scores,
    read_shard,
    scores_stamp,
    stamp_of,
    write_scores,
)

COVERAGE = "coverage"


def score(parts: Parts, held: Round) -> Round:
    """Score the pool, or decide for a coverage round while there is nothing to learn from."""
    found = examples(parts)
    if not teaches(found):
        with parts.store.begin() as tx:
            return tx.rounds.move(held, RoundState.SCORED, strategy=COVERAGE)
    trained = model_for(parts, held, found)
    convergence = find_convergence(parts, held, trained, _score_shards(parts, held, trained))
    with parts.store.begin() as tx:
        keep_convergence(tx, parts.project.id, held.id, convergence)
        return tx.rounds.move(
            held,
            RoundState.SCORED,
            strategy=parts.config.acquisition.function,
            scoring_run_id=trained.run.id,
        )


def scoring_seed(current: Round) -> int:
    """The seed of the networks that score the pool of a round."""
    return derive_seed(current.seed, "score")


def available_rows(parts: Parts, shard: PoolShard, unavailable: set[str]) -> Iterator[list[PoolRow]]:
    """The rows of a shard that may still be chosen, in batches."""
    for rows in read_shard(parts.directory / shard.uri):
        kept = [row for row in rows if row.key not in unavailable]
        if kept:
            yield kept


def _score_shards(parts: Parts, held: Round, trained: Trained) -> list[PoolShard]:
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
        unavailable = tx.pool.unavailable(parts.project.id)
    facts = _facts(parts, held, trained, unavailable)
    others = _others(parts, held, shards, unavailable)
    total = sum(shard.rows for shard in shards) - len(unavailable)
    start = 0
    with parts.progress(f"Scoring {total} items") as report:
        for shard in shards:
            path = parts.scores_file(held, shard)
            stamp = stamp_of(shard=shard.sha256, start=start, **facts)
            if scores_stamp(path) != stamp:
                seed = scoring_seed(held)
                done = partial(_told, report, start, total)
                scores = _score_shard(parts, trained, shard, unavailable, start, seed, others, done)
                parts.renew(held)
                write_scores(path, scores, stamp=stamp, model=trained.run.sha256)
            start += len(read_scores(path).keys)
            report(start, total)
    return shards


def _told(report: Report, start: int, total: int, done: int) -> None:
    report(start + done, total)


def _score_shard(
    parts: Parts,
    trained: Trained,
    shard: PoolShard,
    unavailable: set[str],
    start: int,
    seed: int,
    others: Mapping[str, Sequence[Payload]],
    done: Callable[[int], None],
) -> Scores:
    keys: list[str] = []
    rows: list[int] = []

    def payloads() -> Iterator[list[Mapping[str, Any]]]:
        for batch in available_rows(parts, shard, unavailable):
            done(len(keys))
            keys.extend(row.key for row in batch)
            rows.extend(row.row for row in batch)
            yield [row.payload for row in batch]

    chunks = list(
        parts.learner.score(
            trained.posterior,
            payloads(),
            function=parts.config.acquisition.function,
            seed=seed,
            start=start,
            options=parts.config.acquisition.function_options,
            others=others,
        )
    )
    columns = {
        name: _joined(
            [getattr(c, f"{name}_N" if name != "score" else "scores_N") for c in chunks], np.float32
        )
        for name in SCORE_COLUMNS
    }
    return Scores(keys, np.array(rows, np.int64), _joined([c.predicted_N for c in chunks], np.int32), columns)


def _others(
    parts: Parts, held: Round, shards: list[PoolShard], unavailable: set[str]
) -> dict[str, Sequence[Payload]]:
    """The items that an acquisition function compares with: a random part of the pool, what is labeled."""
    needed = needs("functions", parts.config.acquisition.function)
    found: dict[str, Sequence[Payload]] = {}
    if "targets" in needed:
        found["targets"] = _targets(parts, held, shards, unavailable)
    if "labeled" in needed:
        found["labeled"] = [example.payload for example in examples(parts)]
    return found


def _targets(parts: Parts, held: Round, shards: list[PoolShard], unavailable: set[str]) -> list[Payload]:
    """Draw the items that stand for the pool, by a hash of key and seed, so in any order of shards."""
    drawn: list[tuple[int, str, Payload]] = []
    for shard in shards:
        for rows in available_rows(parts, shard, unavailable):
            drawn += [(derive_seed(held.seed, "target", row.key), row.key, row.payload) for row in rows]
            drawn = sorted(drawn, key=lambda place: place[:2])[: parts.config.acquisition.targets]
    return [payload for _, _, payload in drawn]


def _joined(parts_of_N: list[Any], kind: type) -> NDArray[Any]:
    if not parts_of_N:
        return np.zeros(0, kind)
    joined: NDArray[Any] = np.concatenate([part.cpu().numpy() for part in parts_of_N])
    return joined.astype(kind)


def _facts(parts: Parts, held: Round, trained: Trained, unavailable: set[str]) -> dict[str, Any]:
    taken = hashlib.sha256("\n".join(sorted(unavailable)).encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "model": trained.run.sha256,
        "function": parts.config.acquisition.function,
        "samples": parts.config.posterior.samples,
        "function_options": parts.config.acquisition.function_options,
        "targets": parts.config.acquisition.targets,
        "seed": scoring_seed(held),
        "taken": taken,
    }
