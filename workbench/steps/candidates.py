"""The items that can be chosen, as one table: where each lies, and its scores if it has any."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import PoolShard
from workbench.domain.rounds import Round
from workbench.steps.parts import Parts
from workbench.steps.score import available_rows
from workbench.storage.shards import SCORE_COLUMNS, read_scores, read_shard, scores_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What can be chosen, in the order of shards and rows."""

    keys: list[str]
    shard_N: NDArray[Any]
    row_N: NDArray[Any]
    predicted_N: NDArray[Any] | None = None
    columns: Mapping[str, NDArray[Any]] | None = None


def all_available(parts: Parts, shards: list[PoolShard], unavailable: set[str]) -> Candidates:
    """Every item that is free, without scores."""
    keys: list[str] = []
    places: list[tuple[int, int]] = []
    for position, shard in enumerate(shards):
        for rows in available_rows(parts, shard, unavailable):
            keys.extend(row.key for row in rows)
            places.extend((position, row.row) for row in rows)
    shard_N, row_N = np.array(places, np.int64).reshape(-1, 2).T
    return Candidates(keys=keys, shard_N=shard_N, row_N=row_N)


def all_scored(parts: Parts, held: Round, shards: list[PoolShard], unavailable: set[str]) -> Candidates:
    """Every item that is free, with its scores.

    Raises:
        ArtifactProblem: Scores are missing or damaged.
    """
    paths = [parts.scores_file(held, shard) for shard in shards]
    found = [read_scores(path) for path in paths]
    _refuse_others(parts, held, paths)
    keys = [key for scores in found for key in scores.keys]
    free_N = np.array([key not in unavailable for key in keys], bool)
    shard_N = np.repeat(np.arange(len(found)), [len(scores.keys) for scores in found])
    return Candidates(
        keys=[key for key, free in zip(keys, free_N, strict=True) if free],
        shard_N=shard_N[free_N],
        row_N=_stacked([s.rows_N for s in found])[free_N],
        predicted_N=_stacked([s.predicted_N for s in found])[free_N],
        columns={name: _stacked([s.columns[name] for s in found])[free_N] for name in SCORE_COLUMNS},
    )


def _refuse_others(parts: Parts, held: Round, paths: Sequence[Path]) -> None:
    """Refuse scores of another model: a process that stood still too long may write some when it wakes."""
    if held.scoring_run_id is None:
        return
    with parts.store.begin() as tx:
        model = tx.results.run(held.scoring_run_id).sha256
    for path in paths:
        if scores_model(path) != model:
            raise ArtifactProblem(f"{path} was not made by the model that scored this round.")


def payloads(
    parts: Parts, candidates: Candidates, subset: NDArray[Any], shards: list[PoolShard]
) -> Iterator[list[Mapping[str, Any]]]:
    """The contents of a part of the candidates, in their order; ``subset`` is sorted."""
    places = set(zip(candidates.shard_N[subset].tolist(), candidates.row_N[subset].tolist(), strict=True))
    for position, shard in enumerate(shards):
        for rows in read_shard(parts.directory / shard.uri):
            kept = [row.payload for row in rows if (position, row.row) in places]
            if kept:
                yield kept


def rows_at(parts: Parts, candidates: Candidates, indices: list[int], shards: list[PoolShard]) -> list[Any]:
    """The pool rows of candidates, in the order asked for."""
    places = {(int(candidates.shard_N[i]), int(candidates.row_N[i])) for i in indices}
    found = {}
    for position in {shard for shard, _ in places}:
        for rows in read_shard(parts.directory / shards[position].uri, 4096):
            found.update({(position, r.row): r for r in rows if (position, r.row) in places})
    return [found[int(candidates.shard_N[i]), int(candidates.row_N[i])] for i in indices]


def _stacked(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0)
