"""Scored → selected: choose the batch, reserve its budget and write the outbox, in one transaction."""

from collections import Counter
from typing import Any

from workbench.domain.budget import affordable
from workbench.domain.errors import ArtifactProblem, PoolProblem
from workbench.domain.records import NewItem, PoolShard, Reason, Selection, Split
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed
from workbench.steps.candidates import Candidates, all_available, all_scored, rows_at
from workbench.steps.explain import Explained, explained, keep_explained
from workbench.steps.gold import blind_keys, gold_for, mixed_in, share_size
from workbench.steps.parts import Parts
from workbench.steps.pick import Pick, pick_batch
from workbench.steps.relabel import with_relabels
from workbench.steps.score import COVERAGE
from workbench.steps.terms import caps_in_force
from workbench.storage.shards import SCORE_COLUMNS, read_scores
from workbench.storage.store import Transaction


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
        candidates = all_available(parts, shards, unavailable)
    else:
        try:
            candidates = all_scored(parts, held, shards, unavailable)
        except ArtifactProblem as damage:
            return _score_again(parts, held, damage)
    check_enough(len(candidates.keys), size)
    picks, relabels = with_relabels(
        parts, held, candidates, pick_batch(parts, held, candidates, size, shards), shards
    )
    new = _new_items(parts, candidates, picks, shards)
    chosen = [_selection(parts, candidates, pick, rank) for rank, pick in enumerate(picks)]
    batch = mixed_in(derive_seed(held.seed, "relabels"), chosen, relabels) if relabels else chosen
    told = explained(parts, batch, {item.key: item.payload for item in new}, shards)
    gold = gold_for(parts, held, len(batch))
    return _write(parts, held, told, new, gold, pool_size=len(candidates.keys))


def _score_again(parts: Parts, held: Round, damage: ArtifactProblem) -> Round:
    """Scores that were lost or damaged are made again; nothing has been chosen from them yet."""
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
    for path in (parts.scores_file(held, shard) for shard in shards):
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
        promised=tx.wanted.promised(parts.project.id, parts.config.labeler.overlap),
        overlap=parts.config.labeler.overlap,
        gold_share=parts.config.annotators.gold_share,
        caps=caps_in_force(tx, parts.project, parts.config),
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


def _write(
    parts: Parts,
    held: Round,
    told: Explained,
    new: list[NewItem],
    gold: list[Selection],
    *,
    pool_size: int,
) -> Round:
    policy = parts.config.annotators
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        # Asked again inside the lock: another process may have spent what was free a moment ago.
        size = affordable_batch(parts, tx, len(told.batch))
        chosen = told.batch[:size]
        if gold:
            gold = gold[: share_size(held.seed, size, policy.gold_share, "gold-size")]
            chosen = mixed_in(held.seed, chosen, gold)
        keys = {selection.item_key for selection in chosen}
        tx.pool.touch(parts.project.id, [item for item in new if item.key in keys])
        items = tx.pool.by_key(parts.project.id, keys)
        tx.tasks.choose(
            held.id,
            parts.labeler.name,
            chosen,
            {key: item.id for key, item in items.items()},
            overlaps={s.item_key: 1 for s in chosen if s.reason is Reason.RELABEL},
            blind=blind_keys(held.seed, chosen, policy.blind_share),
        )
        keep_explained(tx, held, told)
        return tx.rounds.move(held, RoundState.SELECTED, words=_words(chosen), pool_size=pool_size)


def _words(chosen: list[Selection]) -> str:
    counts = Counter(selection.reason for selection in chosen)
    words = f"{len(chosen) - counts[Reason.GOLD]} items chosen"
    if counts[Reason.RELABEL]:
        words += f", {counts[Reason.RELABEL]} of them labeled already"
    if counts[Reason.GOLD]:
        words += f"; {counts[Reason.GOLD]} with a known label are mixed in"
    return words


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
        proposal=pick.proposal,
        **scored,
    )


def _new_items(
    parts: Parts, candidates: Candidates, picks: list[Pick], shards: list[PoolShard]
) -> list[NewItem]:
    rows = rows_at(parts, candidates, [pick.index for pick in picks], shards)
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
