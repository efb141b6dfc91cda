"""The arms that a simulation is compared with: as many labels drawn at random, and every label there is.

Possible only where the truth of the whole pool is known. The random arm, with the same model and annotators,
answers the one question that matters: was choosing better than drawing lots? The ceiling, a model of all true
labels, says how much there was to be gained at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from workbench.domain.arms import Arm
from workbench.domain.records import BudgetPoint
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed, fraction
from workbench.simulation.answers import Answers
from workbench.steps.evidence import Seen, on_held_out
from workbench.steps.parts import Parts
from workbench.storage.shards import read_shard

CONTROL_ACCURACY = "control_accuracy"
CEILING_ACCURACY = "ceiling_accuracy"


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
        arm = _random_arm(parts, known, answers, points[number])
        if arm is not None:
            _keep(parts, rounds[number], Arm.RANDOM, arm, CONTROL_ACCURACY)


def record_ceiling(parts: Parts, known: Known) -> None:
    """Measure once what a model of all true labels reaches; kept with the last round that has a model."""
    with parts.store.read() as tx:
        done = any(m.name == CEILING_ACCURACY for _, m in tx.results.metrics(parts.project.id))
        rounds = [r for r in tx.rounds.all(parts.project.id) if r.model_run_id is not None]
    if done or not rounds or len(set(known.truths.values())) < 2:
        return
    keys = sorted(known.truths)
    with parts.progress(f"Ceiling: a model of all {len(keys)} labels") as report:
        posterior = parts.learner.fit(
            [known.payloads[key] for key in keys],
            [known.truths[key] for key in keys],
            seed=derive_seed(parts.project.seed, "ceiling-model"),
            progress=report,
        )
    seen = on_held_out(parts, posterior)
    if seen is not None:
        _keep(parts, rounds[-1], Arm.CEILING, Learnt(len(keys), seen), CEILING_ACCURACY)


class Learnt(NamedTuple):
    """How many labels a model of an arm has learnt from, and what it says of the held-out items."""

    labels: int
    seen: Seen


def _random_arm(parts: Parts, known: Known, answers: Answers, point: BudgetPoint) -> Learnt | None:
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
    seen = on_held_out(parts, posterior)
    return None if seen is None else Learnt(len(drawn), seen)


def _keep(parts: Parts, closed: Round, arm: Arm, learnt: Learnt, name: str) -> None:
    assert closed.model_run_id is not None
    accuracy = next(metric for metric in learnt.seen.metrics if metric.name == "accuracy")
    with parts.store.begin() as tx:
        tx.results.add_metrics(closed.model_run_id, closed.id, [replace(accuracy, name=name)])
        tx.evidence.keep_predictions(closed.id, arm, learnt.labels, learnt.seen.predictions)
