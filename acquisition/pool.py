"""Scores of a pool of any size as a stream, and its best items. Memory is O(chunk + keep)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, cast

import torch
from torch import Tensor

from acquisition.catalog import build, needs
from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.disagreement import Disagreement, refuse_one_sample
from acquisition.embedding import embed, embedded
from acquisition.prediction import Chunk, drawn, predict_with, predicted_chunks
from acquisition.predictions import (
    AnyPredictions,
    Outputs,
    RegressionPredictions,
    summed,
)
from acquisition.scoring import applied, refuse_other_task, refuse_task, score_summary
from acquisition.types import Batches, Draw, Function, Posterior, RankedPool, ScoredChunk


def score_pool(
    posterior: Posterior,
    batches: Batches,
    function: str = "bald",
    n_samples: int = 20,
    seed: int = 0,
    start: int = 0,
    device: torch.device | str | None = None,
    **options: Any,
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
        **options: The function's own options. Of ``targets`` (EPIG) and ``labeled`` (distances) give the
            items; they are predicted with the same T networks, or embedded, here.

    Yields:
        Scores and their parts on the CPU, chunk by chunk in the order of the items.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The device can not be used here, or a count is none.
        InvalidInput: The model can not take the items, or its outputs are not what its task needs.
        NotFinite: NaN or infinity in items or outputs; its ``rows`` count over the pool.
        NotStochastic: The function measures disagreement and all samples are equal.
    """
    check_count("start", start, least=0)
    placed = posterior if device is None else posterior.to(usable(device))
    pairs = scored_chunks(placed, batches, function, drawn(placed, n_samples, seed), seed, start, options)
    return (scored for _, scored in pairs)


def scored_chunks(
    posterior: Posterior,
    batches: Batches,
    function: str,
    draw: Draw,
    seed: int,
    start: int,
    options: Mapping[str, Any],
) -> Iterator[tuple[Chunk, ScoredChunk]]:
    """Streams chunks with their scores by the networks of a draw; else as ``score_pool``."""
    refuse_task(function, posterior.task)
    scorer = _Scorer(posterior, function, _function(posterior, function, draw, seed, options))
    if "samples" in needs("functions", function):
        refuse_one_sample(function, draw)
        scorer.watch = Disagreement(function)
    return scorer.stream(predicted_chunks(posterior, batches, draw, start))


def rank_pool(
    posterior: Posterior,
    batches: Batches,
    function: str = "bald",
    n_samples: int = 20,
    keep: int = 1000,
    seed: int = 0,
    device: torch.device | str | None = None,
    **options: Any,
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
        **options: As in ``score_pool``.

    Returns:
        The best items, best first, of equal scores the lowest row first; ``indices`` count rows over the
        whole iterable.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The device can not be used here, or a count is none.
        InvalidInput: The model can not take the items, or its outputs are not what its task needs.
        NotFinite: NaN or infinity in items or outputs; its ``rows`` count over the pool.
        NotStochastic: The function measures disagreement and all samples are equal.
    """
    check_count("keep", keep)
    best: dict[str, Tensor] = {}
    n_scored = 0
    for chunk in score_pool(posterior, batches, function, n_samples, seed, device=device, **options):
        best = merged(best, chunk, keep)
        n_scored += len(chunk.scores_N)
    return ranked_of(best, n_items=n_scored)


def ranked_of(best: Mapping[str, Tensor], n_items: int) -> RankedPool:
    """Makes the record of what ``merged`` kept."""
    return RankedPool(**(best or _nothing()), n_items=n_items)


def _function(posterior: Posterior, name: str, draw: Draw, seed: int, options: Mapping[str, Any]) -> Function:
    """Builds a function; what it needs of other items is predicted or embedded first."""
    given = dict(options)
    needed = needs("functions", name)
    if "seed" in needed:
        given.setdefault("seed", seed)
    if "targets" in needed and given.get("targets") is not None:
        given["targets"] = predict_with(posterior, given["targets"], draw)
    if "labeled" in needed and given.get("labeled") is not None:
        given["labeled"] = embed(posterior, given["labeled"])
    return cast(Function, build("functions", name, given))


class _Scorer:
    """A function at work on one posterior."""

    def __init__(self, posterior: Posterior, name: str, function: Function) -> None:
        self.posterior = posterior
        self.name = name
        self.function = function
        self.needs = needs("functions", name)
        self.watch: Disagreement | None = None

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, ScoredChunk]]:
        for chunk in chunks:
            if self.watch is not None:
                self.watch.look(chunk.raw_T_N_O)
            yield chunk, self.scored(chunk)
        if self.watch is not None:
            self.watch.conclude()

    def scored(self, chunk: Chunk) -> ScoredChunk:
        rows_N = torch.arange(chunk.start, chunk.start + len(chunk.inputs))
        features_N_D = embedded(self.posterior, chunk.inputs) if "features" in self.needs else None
        predictions = chunk.predictions(rows_N, features_N_D)
        like = chunk.raw_T_N_O if chunk.task == "classification" else chunk.outputs
        refuse_other_task(self.name, like)
        scores_N = self._scores(predictions, like, rows_N, features_N_D)
        return _together(chunk.start, scores_N, predictions, like)

    def _scores(
        self, predictions: AnyPredictions, like: Outputs, rows_N: Tensor, features_N_D: Tensor | None
    ) -> Tensor:
        if "log_probs" in self.needs:
            return score_summary(self.function, predictions, like)
        return applied(self.name, self.function, like, rows_N, features_N_D)


def _together(start: int, scores_N: Tensor, predictions: AnyPredictions, like: Outputs) -> ScoredChunk:
    predicted, confidence = _decided(predictions, like)
    return ScoredChunk(
        start=start,
        scores_N=scores_N.cpu(),
        predictive_entropy_N=summed(predictions.predictive_entropy_N, like).cpu(),
        expected_entropy_N=summed(predictions.expected_entropy_N, like).cpu(),
        mutual_information_N=summed(predictions.mutual_information_N, like).cpu(),
        predicted_N=predicted.cpu(),
        confidence_N=confidence.cpu(),
    )


def _decided(predictions: AnyPredictions, outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Returns what the mean prediction is, and its probability."""
    if isinstance(predictions, RegressionPredictions):
        mean_N = predictions.means_T_N.mean(0)
        return mean_N, torch.full_like(mean_N, torch.nan)
    confidence, predicted = predictions.mean_probs_N_C.max(-1)
    if isinstance(outputs, Tensor) and outputs.dim() == 4:
        return predicted.view(outputs.shape[1:3]), confidence.view(outputs.shape[1:3])
    return predicted, confidence


def merged(best: dict[str, Tensor], chunk: ScoredChunk, keep: int) -> dict[str, Tensor]:
    """Merges a chunk in; what is kept has lower rows than the chunk, so a stable sort breaks ties by row."""
    new = _columns(chunk)
    merged = {name: torch.cat([best[name], column]) if best else column for name, column in new.items()}
    order = torch.argsort(merged["scores"], descending=True, stable=True)[:keep]
    return {name: column[order] for name, column in merged.items()}


def _columns(chunk: ScoredChunk) -> dict[str, Tensor]:
    names = [field.name for field in fields(chunk) if field.name.endswith("_N")]
    columns = {name.removesuffix("_N"): getattr(chunk, name) for name in names}
    return columns | {"indices": torch.arange(chunk.start, chunk.start + len(chunk.scores_N))}


def _nothing() -> dict[str, Tensor]:
    """The columns of a pool without items."""
    floats = ("scores", "predictive_entropy", "expected_entropy", "mutual_information", "confidence")
    integers = ("indices", "predicted")
    return {name: torch.empty(0) for name in floats} | {
        name: torch.empty(0, dtype=torch.long) for name in integers
    }
