"""What a model says of the held-out items: kept item by item, and measured, in one pass over them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acquisition import Posterior
from workbench.domain.records import Item, Metric
from workbench.domain.seeds import derive_seed
from workbench.learning.evaluate import evaluate
from workbench.learning.outcomes import Outcomes, outcomes
from workbench.steps.parts import Parts, Report
from workbench.storage.predictions import Predictions
from workbench.storage.statements import chunked

EVALUATION_BATCH = 256


class Seen(NamedTuple):
    """What a model says of the held-out items, by id.

    Attributes:
        predictions: A few numbers an item, to be kept.
        metrics: Made of them.
        log_mean_N_C: The logarithms of the mean probabilities.
    """

    predictions: Predictions
    metrics: list[Metric]
    log_mean_N_C: Tensor


def held_out_items(parts: Parts) -> list[Item]:
    """The held-out items whose class is known."""
    with parts.store.read() as tx:
        return [item for item in tx.pool.held_out(parts.project.id) if item.known_label is not None]


def on_held_out(parts: Parts, posterior: Posterior) -> Seen | None:
    """Ask a model about every held-out item, batch by batch; None where there are none.

    Of a batch's T samples only their mean is held for longer: memory is N·C numbers.
    The samples come from the project's seed, the same for every model that is asked.

    Raises:
        ModelProblem: The model can not take the items, or a known class that is none of the project's.
        PoolProblem: An item that can not be read.
    """
    items = held_out_items(parts)
    if not items:
        return None
    with parts.progress(f"Measuring on {len(items)} held-out items") as report:
        seed = derive_seed(parts.project.seed, "evaluate")
        means: list[Tensor] = []
        found = outcomes(
            _noting(parts.learner.samples(posterior, _reported(items, report), seed=seed), means),
            [item.known_label or "" for item in items],
            parts.project.classes,
        )
    measured = [
        Metric(split="test", name=v.name, value=v.value, low=v.low, high=v.high, n=v.n)
        for v in evaluate(found)
    ]
    ids_N = np.array([item.id for item in items], np.int64)
    order_N = np.argsort(ids_N)
    return Seen(_by_id(ids_N, order_N, found), measured, torch.cat(means)[torch.from_numpy(order_N)])


def _noting(chunks: Iterable[Tensor], means: list[Tensor]) -> Iterator[Tensor]:
    """Pass predictions on, and note the logarithm of their mean over the samples."""
    for log_probs_T_N_C in chunks:
        means.append(log_probs_T_N_C.exp().mean(0).log().cpu())
        yield log_probs_T_N_C


def _by_id(ids_N: NDArray[Any], order_N: NDArray[Any], found: Outcomes) -> Predictions:
    columns = {field.name: getattr(found, field.name)[order_N] for field in fields(found)}
    return Predictions(items_N=ids_N[order_N], **columns)


def _reported(items: Sequence[Item], report: Report) -> Iterator[list[Mapping[str, Any]]]:
    for number, batch in enumerate(chunked(items, EVALUATION_BATCH)):
        yield [item.payload for item in batch]
        report(number * EVALUATION_BATCH + len(batch), len(items))
