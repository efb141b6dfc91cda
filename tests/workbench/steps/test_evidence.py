"""What a round leaves behind of its models: held against what the model says when it is asked again."""

import numpy as np
import pytest

from tests.faults.little_project import CLASSES
from tests.workbench.steps.conftest import Played
from workbench.domain.arms import Arm
from workbench.domain.errors import ModelProblem
from workbench.domain.records import Reason
from workbench.domain.seeds import derive_seed
from workbench.learning.learner import Learner
from workbench.steps import control
from workbench.steps.control import CONTROL_MODEL, control_arm
from workbench.steps.models import model_of_round
from workbench.steps.parts import Parts
from workbench.storage.diary import Wanted
from workbench.storage.predictions import Predictions


def _kept(parts: Parts, number: int, arm: Arm = Arm.ACTIVE) -> Predictions | None:
    with parts.store.read() as tx:
        return tx.facts(parts.project).predictions.of_round(number, arm)


def _contents(parts: Parts) -> list[dict[str, object]]:
    with parts.store.read() as tx:
        return tx.evidence.diagnostics(parts.project.id, CONTROL_MODEL)


def test_what_is_kept_is_what_the_rounds_model_says_of_every_held_out_item(played: Played) -> None:
    parts = played(2)
    with parts.store.read() as tx:
        last = tx.rounds.all(parts.project.id)[-1]
        items = sorted(tx.pool.held_out(parts.project.id), key=lambda item: item.id)
        measured = tx.results.metrics(parts.project.id)
        metrics = {m.name: m for number, m in measured if (number, m.split) == (last.number, "test")}
    trained = model_of_round(parts, last)
    kept = _kept(parts, last.number)
    assert trained is not None
    assert kept is not None
    seed = derive_seed(parts.project.seed, "evaluate")
    batches = [[item.payload for item in items]]
    log_probs = parts.learner.sampled_all(trained.posterior, batches, seed=seed).double().numpy()
    mean = np.exp(log_probs).mean(0)
    target = np.array([CLASSES.index(item.known_label or "") for item in items])
    rows = np.arange(len(items))
    entropy = -(mean * np.log(mean)).sum(-1)
    information = entropy + (np.exp(log_probs) * log_probs).sum(-1).mean(0)
    assert kept.items_N.tolist() == [item.id for item in items]
    np.testing.assert_array_equal(kept.target_N, target)
    np.testing.assert_array_equal(kept.predicted_N, mean.argmax(-1))
    np.testing.assert_allclose(kept.confidence_N, mean.max(-1), rtol=1e-5)
    np.testing.assert_allclose(kept.true_probability_N, mean[rows, target], rtol=1e-5)
    np.testing.assert_allclose(kept.squared_error_N, ((mean - np.eye(3)[target]) ** 2).sum(-1), atol=1e-5)
    np.testing.assert_allclose(kept.entropy_N, entropy, atol=1e-5)
    np.testing.assert_allclose(kept.mutual_information_N, information, atol=1e-5)
    assert metrics["accuracy"].value == kept.right_N.mean()
    assert metrics["nll"].value == pytest.approx(-np.log(kept.true_probability_N).mean(), rel=1e-5)


def test_the_control_model_learns_from_the_labels_of_the_random_share_alone(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[int] = []
    fit = Learner.fit

    def counted(self: Learner, payloads: list[object], *rest: object, **named: object) -> object:
        learnt.append(len(payloads))
        return fit(self, payloads, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "fit", counted)
    parts = played(2)
    with parts.store.read() as tx:
        rounds = tx.rounds.all(parts.project.id)
        picks = [pick for found in rounds for pick in tx.tasks.selections(found.id)]
        labels = {example.key: example.label for example in tx.annotations.training_set(parts.project.id)}
        hits = [hit for hit in tx.facts(parts.project).predictions.hits() if hit.arm is Arm.CONTROL]
        points = tx.results.budget_points(parts.project.id)
        runs = tx.results.runs(parts.project.id)
    control_keys = {pick.item_key for pick in picks if pick.reason is Reason.CONTROL} & labels.keys()
    assert len(control_keys) >= 10
    assert [(hit.round_number, hit.labels) for hit in hits] == [(1, len(control_keys))]
    assert learnt == [runs[0].labels, runs[1].labels, len(control_keys)]
    too_few, trained = _contents(parts)
    assert (too_few["state"], trained["state"]) == ("too few", "trained")
    seconds = trained["seconds"]
    assert isinstance(seconds, float)
    assert points[-1].compute_seconds == pytest.approx(sum(run.seconds for run in runs) + seconds)


def test_a_control_model_of_the_same_labels_is_not_trained_again(played: Played) -> None:
    parts = played(2)
    again = control_arm(parts)
    assert again is not None
    assert again.content["state"] == "unchanged"
    assert again.seen is None


def test_the_control_model_is_the_same_for_the_same_labels(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = played(2)
    monkeypatch.setattr(control, "KNOWN", ())
    again, kept = control_arm(parts), _kept(parts, 1, Arm.CONTROL)
    assert again is not None
    assert again.seen is not None
    assert kept is not None
    np.testing.assert_array_equal(again.seen.predictions.true_probability_N, kept.true_probability_N)


def test_switched_off_no_control_model_is_trained(played: Played) -> None:
    parts = played(2, acquisition="control_share = 0.5\ncontrol_model = false")
    assert _kept(parts, 1, Arm.CONTROL) is None
    assert _contents(parts) == []


def test_a_control_model_that_can_not_be_trained_fails_no_round(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ModelProblem("Found a broken network.")

    monkeypatch.setattr(control, "_trained", broken)
    parts = played(2)
    with parts.store.read() as tx:
        events = tx.results.events(parts.project.id, Wanted(kind="control-model"))
    assert _contents(parts)[-1]["state"] == "failed"
    assert ["broken network" in event.message for event in events] == [True]
