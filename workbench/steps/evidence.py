"""What a model says of the held-out items: kept item by item, and measured, in one pass over them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

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
    """Predictions of the held-out items, and the metrics made of them."""

    predictions: Predictions
    metrics: list[Metric]


def held_out_items(parts: Parts) -> list[Item]:
    """The held-out items whose class is known."""
    with parts.store.read() as tx:
        return [item for item in tx.pool.held_out(parts.project.id) if item.known_label is not None]


def on_held_out(parts: Parts, posterior: Posterior) -> Seen | None:
    """Ask a model about every held-out item, batch by batch; None where there are none.

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
        found = outcomes(
            parts.learner.samples(posterior, _reported(items, report), seed=seed),
            [item.known_label or "" for item in items],
            parts.project.classes,
        )
    measured = [
        Metric(split="test", name=v.name, value=v.value, low=v.low, high=v.high, n=v.n)
        for v in evaluate(found)
    ]
    return Seen(_by_id(items, found), measured)


def _by_id(items: Sequence[Item], found: Outcomes) -> Predictions:
    ids_N = np.array([item.id for item in items], np.int64)
    order_N = np.argsort(ids_N)
    columns = {field.name: getattr(found, field.name)[order_N] for field in fields(found)}
    return Predictions(items_N=ids_N[order_N], **columns)


def _reported(items: Sequence[Item], report: Report) -> Iterator[list[Mapping[str, Any]]]:
    for number, batch in enumerate(chunked(items, EVALUATION_BATCH)):
        yield [item.payload for item in batch]
        report(number * EVALUATION_BATCH + len(batch), len(items))
