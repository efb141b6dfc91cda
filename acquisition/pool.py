"""Scores of a pool of any size as a stream, and its best items. Memory is O(chunk + keep)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.numerics import mutual_information, summarize
from acquisition.prediction import Chunk, drawn, predicted_chunks
from acquisition.scoring import checked_scores, seeded_function
from acquisition.types import Batches, Function, Posterior, RankedPool, ScoredChunk


def score_pool(
    posterior: Posterior,
    batches: Batches,
    function: str = "bald",
    n_samples: int = 20,
    seed: int = 0,
    start: int = 0,
    device: torch.device | str | None = None,
) -> Iterator[ScoredChunk]:
    """Streams the scores of a pool, with the same T networks for every item of it.

    Args:
        posterior: From ``mc_dropout``, ``ensemble``, ``fit`` or ``restore``.
        batches: A tensor of items or any iterable of such tensors; large ones are cut.
        function: An acquisition function of ``catalog()``.
        n_samples: T; an ensemble of M gives at most M.
        seed: Of the draw, and of the function where it needs one.
        start: Row of the first item: a shard of a pool scored alone gets the scores of the whole.
        device: Where to compute; None leaves the posterior where it is.

    Yields:
        Scores and their parts on the CPU, chunk by chunk in the order of the items.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The device can not be used here, or a count is none.
        InvalidInput: The model can not take the items, or its outputs are no class scores.
        NotFinite: NaN or infinity in items or outputs; its ``rows`` count over the pool.
    """
    scorer = seeded_function(function, seed)
    placed = posterior if device is None else posterior.to(usable(device))
    draw = drawn(placed, n_samples, seed)
    return (_scored(chunk, scorer) for chunk in predicted_chunks(placed, batches, draw, start))


def rank_pool(
    posterior: Posterior,
    batches: Batches,
    function: str = "bald",
    n_samples: int = 20,
    keep: int = 1000,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> RankedPool:
    """Finds the best items of a pool.

    Args:
        posterior: As in ``score_pool``, like ``batches``, ``function``, ``n_samples``, ``seed``, ``device``.
        batches: A tensor of items or any iterable of such tensors.
        function: An acquisition function of ``catalog()``.
        n_samples: T; an ensemble of M gives at most M.
        keep: How many items to keep; all of them where the pool is smaller.
        seed: Of the draw, and of the function where it needs one.
        device: Where to compute; None leaves the posterior where it is.

    Returns:
        The best items, best first, of equal scores the lowest row first; ``indices`` count rows over the
        whole iterable.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The device can not be used here, or a count is none.
        InvalidInput: The model can not take the items, or its outputs are no class scores.
        NotFinite: NaN or infinity in items or outputs; its ``rows`` count over the pool.
    """
    check_count("keep", keep)
    best, n_items = _empty(), 0
    for chunk in score_pool(posterior, batches, function, n_samples, seed, device=device):
        best = _best(best, chunk, keep)
        n_items += len(chunk.scores_N)
    return RankedPool(**best, n_items=n_items)


def _scored(chunk: Chunk, function: Function) -> ScoredChunk:
    n_items = chunk.log_probs_T_N_C.shape[1]
    rows_N = torch.arange(chunk.start, chunk.start + n_items)
    predictions = summarize(chunk.log_probs_T_N_C, rows_N)
    confidence_N, predicted_N = predictions.mean_probs_N_C.max(-1)
    information_N = mutual_information(predictions.predictive_entropy_N, predictions.expected_entropy_N)
    return ScoredChunk(
        start=chunk.start,
        scores_N=checked_scores(function, predictions).cpu(),
        predictive_entropy_N=predictions.predictive_entropy_N.cpu(),
        expected_entropy_N=predictions.expected_entropy_N.cpu(),
        mutual_information_N=information_N.cpu(),
        predicted_N=predicted_N.cpu(),
        confidence_N=confidence_N.cpu(),
    )


def _best(best: dict[str, Tensor], chunk: ScoredChunk, keep: int) -> dict[str, Tensor]:
    """Merges a chunk in; what is kept has lower rows than the chunk, so a stable sort breaks ties by row."""
    new = _columns(chunk)
    merged = {name: torch.cat([best[name].to(column.dtype), column]) for name, column in new.items()}
    order = torch.argsort(merged["scores"], descending=True, stable=True)[:keep]
    return {name: column[order] for name, column in merged.items()}


def _columns(chunk: ScoredChunk) -> dict[str, Tensor]:
    names = [field.name for field in fields(chunk) if field.name.endswith("_N")]
    columns = {name.removesuffix("_N"): getattr(chunk, name) for name in names}
    return columns | {"indices": torch.arange(chunk.start, chunk.start + len(chunk.scores_N))}


def _empty() -> dict[str, Tensor]:
    floats = ("scores", "predictive_entropy", "expected_entropy", "mutual_information", "confidence")
    integers = ("indices", "predicted")
    return {name: torch.empty(0) for name in floats} | {
        name: torch.empty(0, dtype=torch.long) for name in integers
    }
