"""The random control arm of a simulation: as many labels, drawn at random, the same model and annotators.

Possible only where the truth of the whole pool is known. It answers the one question that matters: was
choosing better than drawing lots?
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.domain.records import BudgetPoint, Metric
from workbench.domain.seeds import derive_seed, fraction
from workbench.learning.evaluate import evaluate
from workbench.simulation.answers import Answers
from workbench.steps.parts import Parts
from workbench.storage.shards import read_shard
from workbench.storage.statements import chunked

CONTROL_ACCURACY = "control_accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A pool whose truth is known: payloads and truths by key, held-out items left out."""

    payloads: Mapping[str, Mapping[str, Any]]
    truths: Mapping[str, str]


def known_pool(parts: Parts) -> Known:
    """Read the truth of every pool item that has one."""
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
        held_out = {item.key for item in tx.pool.held_out(parts.project.id)}
        held_out |= {gold.item.key for gold in tx.wanted.gold(parts.project.id)}
    payloads: dict[str, Mapping[str, Any]] = {}
    truths: dict[str, str] = {}
    for shard in shards:
        for rows in read_shard(parts.directory / shard.uri, 4096):
            for row in rows:
                if row.truth is not None and row.key not in held_out:
                    payloads[row.key], truths[row.key] = row.payload, row.truth
    return Known(payloads=payloads, truths=truths)


def record_control(parts: Parts, known: Known, answers: Answers) -> None:
    """Measure the control arm for every closed round that has no such measurement yet."""
    with parts.store.begin() as tx:
        done = {number for number, m in tx.results.metrics(parts.project.id) if m.name == CONTROL_ACCURACY}
        points = {p.round_number: p for p in tx.results.budget_points(parts.project.id)}
        rounds = {r.number: r for r in tx.rounds.all(parts.project.id) if r.model_run_id is not None}
    for number in sorted(set(points) & set(rounds) - done):
        metric = _control_metric(parts, known, answers, points[number])
        if metric is None:
            continue
        run_id = rounds[number].model_run_id
        assert run_id is not None
        with parts.store.begin() as tx:
            tx.results.add_metrics(run_id, rounds[number].id, [metric])


def _control_metric(parts: Parts, known: Known, answers: Answers, point: BudgetPoint) -> Metric | None:
    seed = parts.project.seed
    order = sorted(known.truths, key=lambda key: fraction(seed, "control-arm", key))
    labeled = [(key, label) for key in order if (label := answers.of(key).label) is not None]
    drawn = labeled[: point.labels]
    if len({label for _, label in drawn}) < 2:
        return None
    with parts.progress(f"Random control on {len(drawn)} labels") as report:
        posterior = parts.learner.fit(
            [known.payloads[key] for key, _ in drawn],
            [label for _, label in drawn],
            seed=derive_seed(seed, "control-model", point.round_number),
            progress=report,
        )
    with parts.store.begin() as tx:
        items = tx.pool.held_out(parts.project.id)
    batches = ([item.payload for item in batch] for batch in chunked(items, 256))
    values = evaluate(
        parts.learner.predict(posterior, batches, seed=derive_seed(seed, "evaluate")),
        [item.known_label or "" for item in items],
        parts.project.classes,
    )
    accuracy = next(value for value in values if value.name == "accuracy")
    return Metric(
        split="test",
        name=CONTROL_ACCURACY,
        value=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        n=accuracy.n,
    )
