"""How many posterior samples are enough for this pool, and which classes the model sees in it.

Looked at when the pool of a round has been scored, on a few items of it; kept with the round. Nothing here
decides anything, and nothing here fails a round.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import acquisition
from acquisition import AcquisitionError
from acquisition.catalog import needs
from acquisition.diagnostics import Convergence, sample_convergence
from workbench.domain.records import PoolShard
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed
from workbench.learning.encoders.protocol import Payload
from workbench.steps.models import Trained
from workbench.steps.parts import Parts
from workbench.steps.unforeseen import UNFORESEEN, in_words
from workbench.storage.shards import predicted_rows, rows_of
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

NAME = "convergence"
#: Items that are looked at; the least that a tenth of can be compared; pairs of draws of each size.
ITEMS, FEWEST, PAIRS = 400, 20, 20
#: Samples drawn: four times those in use, so that twice as many can be judged; and numbers at most.
TIMES, MOST_SAMPLES, MOST_NUMBERS = 4, 400, 20_000_000
ENCODED_AT_ONCE = 64
#: What is judged where the function compares items with others: its samples are the same.
STAND_IN = "bald"


class _Scored(NamedTuple):
    """What the score files say: of each shard the rows that were scored, and the classes seen in them."""

    rows: list[NDArray[Any]]
    counts_C: NDArray[Any]


class _Judged(NamedTuple):
    """Which acquisition function is looked at, with its options."""

    function: str
    options: Mapping[str, Any]


def find_convergence(
    parts: Parts, held: Round, trained: Trained, shards: Sequence[PoolShard]
) -> dict[str, Any] | None:
    """Look at the scored pool of a round; None where that has been done. The same pool, the same finding."""
    with parts.store.read() as tx:
        if tx.evidence.has_diagnostic(held.id, NAME):
            return None
    try:
        scored = _scored(parts, held, shards)
    except UNFORESEEN as problem:
        return {"missing": in_words(problem)}
    seen = {"pool": int(scored.counts_C.sum()), "predicted": scored.counts_C.tolist()}
    try:
        return {**seen, **_converging(parts, held, trained, shards, scored)}
    except (AcquisitionError, *UNFORESEEN) as problem:
        return {**seen, "missing": in_words(problem)}


def keep_convergence(
    tx: Transaction, project_id: int, round_id: int, content: Mapping[str, Any] | None
) -> None:
    """Keep the finding of a round, once."""
    if content is not None and not tx.evidence.has_diagnostic(round_id, NAME):
        tx.evidence.keep_diagnostic(project_id, NAME, content, round_id=round_id)


def _scored(parts: Parts, held: Round, shards: Sequence[PoolShard]) -> _Scored:
    counts_C = np.zeros(len(parts.project.classes), np.int64)
    rows = []
    for shard in shards:
        found = predicted_rows(parts.scores_file(held, shard))
        counts_C += np.bincount(found.predicted_N, minlength=len(counts_C))
        rows.append(found.rows_N)
    return _Scored(rows, counts_C)


def _converging(
    parts: Parts, held: Round, trained: Trained, shards: Sequence[PoolShard], scored: _Scored
) -> dict[str, Any]:
    used = _used(parts, trained)
    if used < 2:
        return {"missing": "the posterior has one sample: nothing can converge"}
    if scored.counts_C.sum() < FEWEST:
        return {"missing": f"the pool has fewer than {FEWEST} items left"}
    payloads = _drawn(parts, held, shards, scored)
    n_samples = min(TIMES * used, max(MOST_SAMPLES, 2 * used), _limit(trained))
    few = payloads[: max(FEWEST, MOST_NUMBERS // (n_samples * len(parts.project.classes)))]
    seed = derive_seed(held.seed, NAME)
    drawn = acquisition.predict(trained.posterior, _encoded(parts, few), n_samples, seed)
    assert isinstance(drawn, torch.Tensor)  # a project's labels are classes
    judged = _judged(parts)
    found = sample_convergence(
        drawn,
        function=judged.function,
        pairs=PAIRS,
        seed=seed,
        sizes=_sizes(len(drawn), used),
        **judged.options,
    )
    return {
        "function": judged.function,
        "used": used,
        "items": len(few),
        "samples": len(drawn),
        **_content(found),
    }


def _used(parts: Parts, trained: Trained) -> int:
    return min(parts.config.posterior.samples, _limit(trained))


def _limit(trained: Trained) -> int:
    limit = trained.posterior.max_samples
    return 10**9 if limit is None else limit


def _sizes(drawn: int, used: int) -> list[int]:
    """Powers of two, what is in use, and half of what was drawn."""
    largest = drawn // 2
    powers = [2**i for i in range(1, largest.bit_length()) if 2**i <= largest]
    return sorted({*powers, min(used, largest), largest})


def _judged(parts: Parts) -> _Judged:
    settings = parts.config.acquisition
    if needs("functions", settings.function):
        return _Judged(STAND_IN, {})
    return _Judged(settings.function, settings.function_options)


def _drawn(parts: Parts, held: Round, shards: Sequence[PoolShard], scored: _Scored) -> list[Payload]:
    """Draw scored items at random, in pool order: the same ones whenever the same were scored."""
    n = int(sum(map(len, scored.rows)))
    source = np.random.default_rng(derive_seed(held.seed, NAME, "items"))
    chosen = np.sort(source.choice(n, min(ITEMS, n), replace=False))
    ends = np.cumsum([0, *map(len, scored.rows)])
    found: list[Payload] = []
    for shard, rows_N, first, last in zip(shards, scored.rows, ends, ends[1:], strict=False):
        wanted = rows_N[chosen[(chosen >= first) & (chosen < last)] - first]
        if len(wanted):
            found += [row.payload for row in rows_of(parts.directory / shard.uri, wanted)]
    # In an order of chance, so that the first few are a random few.
    return [found[i] for i in source.permutation(len(found))]


def _encoded(parts: Parts, payloads: Sequence[Payload]) -> Iterator[torch.Tensor]:
    for batch in chunked(payloads, ENCODED_AT_ONCE):
        yield parts.learner.encode(batch)


def _content(found: Convergence) -> dict[str, Any]:
    rows = [{name: _short(value) for name, value in asdict(row).items()} for row in found.rows]
    return {"top": found.top, "enough": found.enough, "rows": rows}


def _short(value: float) -> float | None:
    """Six digits; JSON knows no infinity."""
    return value if isinstance(value, int) else float(f"{value:.6g}") if np.isfinite(value) else None
