"""Scored → selected: choose the batch, reserve its budget and write the outbox, in one transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import acquisition
from workbench.domain.budget import affordable
from workbench.domain.errors import ArtifactProblem, PoolProblem
from workbench.domain.records import NewItem, PoolShard, Reason, Selection, Split
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed, fraction
from workbench.steps.parts import Parts
from workbench.steps.score import COVERAGE, available_rows, part_path
from workbench.storage.shards import SCORE_COLUMNS, read_scores, read_shard
from workbench.storage.store import Transaction

#: A coverage round looks at a random subset of this many items at most.
COVERAGE_LIMIT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What can be chosen: where each item lies, and its scores if it has any."""

    keys: list[str]
    shard_N: NDArray[Any]
    row_N: NDArray[Any]
    predicted_N: NDArray[Any] | None = None
    columns: Mapping[str, NDArray[Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A candidate and why it was taken."""

    index: int
    reason: Reason
    propensity: float | None = None


def choose(parts: Parts, held: Round) -> Round:
    """Choose the batch of a scored round. Run twice, the second does nothing: the state has moved.

    Raises:
        PoolProblem: Fewer items are left than were asked for.
        BudgetExhausted: Not one more label can be paid for.
    """
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
        unavailable = tx.pool.unavailable(parts.project.id)
        size = affordable_batch(parts, tx, held.batch_size)
    if held.strategy == COVERAGE:
        candidates = _all_available(parts, shards, unavailable)
    else:
        try:
            candidates = _scored(parts, held, shards, unavailable)
        except ArtifactProblem as damage:
            return _score_again(parts, held, damage)
    check_enough(len(candidates.keys), size)
    picks = _pick(parts, held, candidates, size, shards)
    return _write(parts, held, candidates, picks, shards)


def _score_again(parts: Parts, held: Round, damage: ArtifactProblem) -> Round:
    """Scores that were lost or damaged are made again; nothing has been chosen from them yet."""
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
    for path in (part_path(parts, held, shard) for shard in shards):
        try:
            read_scores(path)
        except ArtifactProblem:
            path.unlink(missing_ok=True)
    with parts.store.begin() as tx:
        tx.results.note(parts.project.id, "scores", f"The pool is scored again: {damage}", round_id=held.id)
        return tx.rounds.rescore(held)


def affordable_batch(parts: Parts, tx: Transaction, wanted: int) -> int:
    """How much of a batch the budget allows.

    Raises:
        BudgetExhausted: Not one more label can be paid for.
    """
    return affordable(
        wanted,
        spent=tx.results.spending(parts.project.id),
        reserved=tx.tasks.waiting(parts.project.id),
        overlap=parts.config.labeler.overlap,
        caps=parts.config.budget.caps,
        prices=parts.config.budget.prices,
    )


def check_enough(left: int, wanted: int) -> None:
    """Refuse a batch that is larger than what is left.

    Raises:
        PoolProblem: It is.
    """
    if left == 0:
        raise PoolProblem(
            "Every item of the pool is labeled, held out or in a round: there is nothing left to choose. "
            "Type `workbench pool add` to add more, or `workbench report` to see what was reached."
        )
    if left < wanted:
        raise PoolProblem(
            f"The pool has {left} items left, and {wanted} were asked for. "
            f"Type `workbench round ask --batch {left}`, or add more with `workbench pool add`."
        )


def control_size(seed: int, size: int, share: float) -> int:
    """How many of a batch are drawn at random: ``share`` of it on average, whole numbers each time."""
    exact = size * share
    whole = int(exact)
    return min(size, whole + (fraction(seed, "control-size") < exact - whole))


def _pick(
    parts: Parts, held: Round, candidates: Candidates, size: int, shards: list[PoolShard]
) -> list[Pick]:
    # Drawn before anything is chosen: so they stand for the whole pool, not for what choosing left over.
    share = control_size(held.seed, size, parts.config.acquisition.control_share)
    control = _control(held.seed, len(candidates.keys), share)
    rest_N = np.setdiff1d(np.arange(len(candidates.keys)), [pick.index for pick in control])
    wanted = _wanted(parts, held, candidates, rest_N, size - share, shards)
    reason = Reason.COVERAGE if held.strategy == COVERAGE else Reason.UNCERTAIN
    return _mixed(held.seed, [Pick(index=index, reason=reason) for index in wanted], control)


def _wanted(
    parts: Parts,
    held: Round,
    candidates: Candidates,
    rest_N: NDArray[Any],
    size: int,
    shards: list[PoolShard],
) -> list[int]:
    if size == 0:
        return []
    settings = parts.config.acquisition
    seed = derive_seed(held.seed, "select")
    if held.strategy == COVERAGE:
        return _covering(parts, candidates, rest_N, shards, size, seed)
    assert candidates.columns is not None
    chosen = acquisition.select(
        settings.selector,
        acquisition.Candidates(scores_N=_tensor(candidates.columns["score"][rest_N])),
        size,
        seed=seed,
        **settings.options,
    )
    return [int(rest_N[int(index)]) for index in chosen.indices]


def _covering(
    parts: Parts,
    candidates: Candidates,
    rest_N: NDArray[Any],
    shards: list[PoolShard],
    size: int,
    seed: int,
) -> list[int]:
    subset = rest_N
    if len(subset) > max(COVERAGE_LIMIT, size):
        drawn = np.random.default_rng(seed).choice(subset, max(COVERAGE_LIMIT, size), replace=False)
        subset = np.sort(drawn)
    features_N_D = parts.learner.coverage(_payloads(parts, candidates, subset, shards), seed=seed)
    chosen = acquisition.select(
        parts.config.acquisition.coverage,
        acquisition.Candidates(features_N_D=_tensor(features_N_D)),
        size,
        seed=seed,
    )
    return [int(subset[int(index)]) for index in chosen.indices]


def _control(seed: int, candidates: int, size: int) -> list[Pick]:
    drawn = np.random.default_rng(derive_seed(seed, "control")).choice(candidates, size, replace=False)
    return [Pick(index=int(i), reason=Reason.CONTROL, propensity=size / candidates) for i in drawn]


def _mixed(seed: int, wanted: list[Pick], control: list[Pick]) -> list[Pick]:
    """Put the random picks among the others, never first, so that nobody can tell which they are."""
    picks = list(wanted)
    places = np.random.default_rng(derive_seed(seed, "mix"))
    for pick in control:
        picks.insert(int(places.integers(1, len(picks) + 1)) if picks else 0, pick)
    return picks


def _write(
    parts: Parts, held: Round, candidates: Candidates, picks: list[Pick], shards: list[PoolShard]
) -> Round:
    new = _new_items(parts, candidates, picks, shards)
    chosen = [_selection(parts, candidates, pick, rank) for rank, pick in enumerate(picks)]
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        # Asked again inside the lock: another process may have spent what was free a moment ago.
        size = affordable_batch(parts, tx, len(chosen))
        chosen = chosen[:size]
        tx.pool.touch(parts.project.id, new[:size])
        items = tx.pool.by_key(parts.project.id, [s.item_key for s in chosen])
        ids = {key: item.id for key, item in items.items()}
        tx.tasks.choose(held.id, parts.labeler.name, chosen, ids)
        tx.results.note(parts.project.id, "selected", f"{size} items chosen", round_id=held.id)
        return tx.rounds.move(held, RoundState.SELECTED)


def _selection(parts: Parts, candidates: Candidates, pick: Pick, rank: int) -> Selection:
    scored: dict[str, Any] = {}
    if candidates.columns is not None and candidates.predicted_N is not None:
        scored = {name: float(candidates.columns[name][pick.index]) for name in SCORE_COLUMNS}
        scored["predicted"] = parts.project.classes[int(candidates.predicted_N[pick.index])]
    return Selection(
        item_key=candidates.keys[pick.index],
        rank=rank,
        reason=pick.reason,
        propensity=pick.propensity,
        **scored,
    )


def _new_items(
    parts: Parts, candidates: Candidates, picks: list[Pick], shards: list[PoolShard]
) -> list[NewItem]:
    rows = _rows_at(parts, candidates, [pick.index for pick in picks], shards)
    return [
        NewItem(
            key=row.key,
            split=Split.POOL,
            payload=row.payload,
            sha256=row.sha256,
            shard_id=shards[int(candidates.shard_N[pick.index])].id,
            row=row.row,
        )
        for row, pick in zip(rows, picks, strict=True)
    ]


def _rows_at(parts: Parts, candidates: Candidates, indices: list[int], shards: list[PoolShard]) -> list[Any]:
    places = {(int(candidates.shard_N[i]), int(candidates.row_N[i])) for i in indices}
    found = {}
    for position in {shard for shard, _ in places}:
        for rows in read_shard(parts.directory / shards[position].uri, 4096):
            found.update({(position, r.row): r for r in rows if (position, r.row) in places})
    return [found[int(candidates.shard_N[i]), int(candidates.row_N[i])] for i in indices]


def _payloads(
    parts: Parts, candidates: Candidates, subset: NDArray[Any], shards: list[PoolShard]
) -> Iterator[list[Mapping[str, Any]]]:
    places = set(zip(candidates.shard_N[subset].tolist(), candidates.row_N[subset].tolist(), strict=True))
    for position, shard in enumerate(shards):
        for rows in read_shard(parts.directory / shard.uri):
            kept = [row.payload for row in rows if (position, row.row) in places]
            if kept:
                yield kept


def _all_available(parts: Parts, shards: list[PoolShard], unavailable: set[str]) -> Candidates:
    keys: list[str] = []
    places: list[tuple[int, int]] = []
    for position, shard in enumerate(shards):
        for rows in available_rows(parts, shard, unavailable):
            keys.extend(row.key for row in rows)
            places.extend((position, row.row) for row in rows)
    shard_N, row_N = np.array(places, np.int64).reshape(-1, 2).T
    return Candidates(keys=keys, shard_N=shard_N, row_N=row_N)


def _scored(parts: Parts, held: Round, shards: list[PoolShard], unavailable: set[str]) -> Candidates:
    found = [read_scores(part_path(parts, held, shard)) for shard in shards]
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


def _stacked(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0)


def _tensor(array: Any) -> Any:
    import torch

    return torch.as_tensor(np.ascontiguousarray(array))
