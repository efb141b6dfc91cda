"""Settled → trained → evaluated → closed: learn from all labels, measure, and record what was bought."""

from typing import Any

from workbench.domain.arms import Arm
from workbench.domain.intervals import wilson
from workbench.domain.records import BudgetPoint, LabelStatus, Metric, Reason
from workbench.domain.rounds import Round, RoundState
from workbench.domain.seeds import derive_seed
from workbench.steps.calibration import calibration_of, keep_calibration
from workbench.steps.control import control_arm, control_seconds, keep_control
from workbench.steps.environment import environment_of, keep_environment
from workbench.steps.evidence import Seen, on_held_out
from workbench.steps.foresight import keep_foresight, stopping_of
from workbench.steps.models import examples, model_for, model_of_round, teaches
from workbench.steps.parts import Parts
from workbench.storage.store import Transaction

#: The metric of the budget curve.
METRIC = "accuracy"


def train(parts: Parts, held: Round) -> Round:
    """Train on all labels so far; with fewer than two classes there is no model this round."""
    found = examples(parts)
    run_id = model_for(parts, held, found).run.id if teaches(found) else None
    with parts.store.begin() as tx:
        return tx.rounds.move(held, RoundState.TRAINED, model_run_id=run_id)


def evaluate(parts: Parts, held: Round) -> Round:
    """Measure the new model on the held-out split, and the one before on this round's random share."""
    trained = model_of_round(parts, held)
    seen = on_held_out(parts, trained.posterior) if trained else None
    calibration = _calibration(parts, seen) if seen else None
    control = control_arm(parts) if trained else None
    with parts.store.begin() as tx:
        if trained is not None and seen is not None:
            tx.results.add_metrics(trained.run.id, held.id, seen.metrics)
            tx.evidence.keep_predictions(held.id, Arm.ACTIVE, trained.run.labels, seen.predictions)
        if calibration is not None:
            keep_calibration(tx, parts.project.id, held.id, calibration)
        keep_control(tx, held, control)
        if held.scoring_run_id is not None:
            tx.results.add_metrics(held.scoring_run_id, held.id, prequential(tx, held))
        return tx.rounds.move(held, RoundState.EVALUATED)


def record(parts: Parts, held: Round) -> Round:
    """Write the budget point and close the round."""
    environment = environment_of(parts, held)
    with parts.store.read() as tx:
        point = _point(tx, parts, held)
    stopping = stopping_of(parts, held, point)
    with parts.store.begin() as tx:
        keep_environment(tx, held, environment)
        point = _point(tx, parts, held)
        tx.results.add_budget_point(held.id, point)
        keep_foresight(tx, parts.project, held, stopping)
        return tx.rounds.move(held, RoundState.CLOSED, words=f"{point.labels} labels so far")


def _point(tx: Transaction, parts: Parts, held: Round) -> BudgetPoint:
    """What was spent, and what it has bought."""
    spent = tx.results.spending(parts.project.id)
    metric = _headline(tx, parts, held)
    return BudgetPoint(
        round_number=held.number,
        metric=METRIC,
        labels=spent.labels,
        annotations=spent.annotations,
        seconds=spent.seconds,
        cost=spent.cost(parts.config.budget.prices),
        compute_seconds=_computed(tx, parts.project.id),
        value=metric.value if metric else None,
        low=metric.low if metric else None,
        high=metric.high if metric else None,
        n=metric.n if metric else 0,
    )


def prequential(tx: Transaction, held: Round) -> list[Metric]:
    """Compare what the model said of the random picks before it was trained on them with their labels.

    Unbiased for the pool as it was then: these items were drawn before any other was chosen. Empty without
    a labeled random pick.
    """
    picks = [
        s for s in tx.tasks.selections(held.id) if s.reason is Reason.CONTROL and s.predicted is not None
    ]
    ids = {task.item_key: task.item_id for task in tx.tasks.of_round(held.id)}
    labels = tx.annotations.label_of(ids[pick.item_key] for pick in picks)
    right = [
        labels[ids[pick.item_key]].value == pick.predicted
        for pick in picks
        if ids[pick.item_key] in labels and labels[ids[pick.item_key]].status is LabelStatus.AGREED
    ]
    if not right:
        return []
    low, high = wilson(sum(right), len(right))
    value = sum(right) / len(right)
    return [Metric(split="control", name=METRIC, value=value, low=low, high=high, n=len(right))]


def _computed(tx: Transaction, project_id: int) -> float:
    """Seconds of training so far, that of the models to compare with included."""
    return sum(run.seconds for run in tx.results.runs(project_id)) + control_seconds(tx, project_id)


def _calibration(parts: Parts, seen: Seen) -> dict[str, Any]:
    seed = derive_seed(parts.project.seed, "calibration")
    return calibration_of(seen.predictions, seen.log_mean_N_C, seed=seed)


def _headline(tx: Transaction, parts: Parts, held: Round) -> Metric | None:
    """The metric of the curve: held-out if there is a held-out split, else this round's random share."""
    own = [m for number, m in tx.results.metrics(parts.project.id) if number == held.number]
    for split in ("test", "control"):
        for metric in own:
            if (metric.split, metric.name) == (split, METRIC):
                return metric
    return None
