"""Calibration as a round keeps it: held against numpy, scikit-learn, and models that are perfect."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from tests.workbench.steps.conftest import Played
from workbench.reports.panels.calibration_words import short_verdict
from workbench.steps.calibration import NAME, calibration_of, keep_calibration
from workbench.storage.predictions import Predictions


def drawn(n: int, n_classes: int, seed: int, *, sharpness: float = 1.0) -> tuple[Predictions, torch.Tensor]:
    """Predictions whose truth is drawn from them; ``sharpness`` above 1 makes them too sure afterwards."""
    random = np.random.default_rng(seed)
    logits_N_C = 2.0 * random.normal(size=(n, n_classes))
    truth_N_C = np.exp(logits_N_C) / np.exp(logits_N_C).sum(1, keepdims=True)
    target_N = (truth_N_C.cumsum(1) < random.random((n, 1))).sum(1).clip(0, n_classes - 1)
    said = torch.from_numpy(sharpness * logits_N_C).log_softmax(-1)
    probs_N_C = said.exp().numpy()
    entropy_N = -(probs_N_C * np.log(probs_N_C)).sum(1)
    predictions = Predictions(
        items_N=np.arange(n),
        target_N=target_N,
        predicted_N=probs_N_C.argmax(1),
        confidence_N=probs_N_C.max(1),
        true_probability_N=probs_N_C[np.arange(n), target_N],
        squared_error_N=((probs_N_C - np.eye(n_classes)[target_N]) ** 2).sum(1),
        entropy_N=entropy_N,
        mutual_information_N=0.5 * entropy_N + 0.1 * random.random(n),
    )
    return predictions, said


def test_every_number_is_the_one_that_others_compute() -> None:
    predictions, said = drawn(500, 4, seed=1)
    found = calibration_of(predictions, said, seed=0)
    confidence, right = predictions.confidence_N, predictions.right_N
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs((confidence - right)[bins == b].sum()) for b in range(15)]
    assert found["ece_equal_width"]["value"] == pytest.approx(sum(gaps) / 500, rel=1e-4)
    assert sum(row[2] for row in found["bins"]) == 500
    assert found["nll"]["value"] == pytest.approx(
        log_loss(predictions.target_N, said.exp().numpy(), labels=range(4)), rel=1e-4
    )
    assert found["nll"]["expected"] == pytest.approx(predictions.entropy_N.mean(), rel=1e-4)
    assert found["brier"]["value"] == pytest.approx(predictions.squared_error_N.mean(), rel=1e-4)
    assert found["ranking"]["mutual_information"] == pytest.approx(
        roc_auc_score(~right, predictions.mutual_information_N), rel=1e-4
    )
    order = np.argsort(-confidence)
    risks = np.cumsum(~right[order]) / np.arange(1, 501)
    assert found["aurc"]["value"] == pytest.approx(risks.mean(), rel=1e-4)
    assert found["aurc"]["low"] < risks.mean() < found["aurc"]["high"]
    assert found["risk"][-1] == [1.0, pytest.approx(1 - right.mean(), rel=1e-4)]
    assert found["overconfidence"]["value"] == pytest.approx((confidence - right).mean(), rel=1e-3)


def test_of_perfect_models_few_are_called_uncalibrated_and_of_overconfident_ones_most() -> None:
    perfect = [short_verdict(calibration_of(*drawn(400, 3, seed), seed=seed)) for seed in range(40)]
    wrongly = sum(verdict not in ("calibrated", "not shown") for verdict in perfect)
    assert wrongly <= 6
    sharp = [calibration_of(*drawn(400, 3, seed, sharpness=2.0), seed=seed) for seed in range(10)]
    assert [short_verdict(found) for found in sharp].count("overconfident") >= 9
    flat = calibration_of(*drawn(1000, 3, seed=5, sharpness=0.4), seed=0)
    assert short_verdict(flat) == "underconfident"


def test_many_items_show_that_a_perfect_model_is_calibrated_and_few_show_nothing() -> None:
    assert short_verdict(calibration_of(*drawn(4000, 3, seed=2), seed=0)) == "calibrated"
    assert short_verdict(calibration_of(*drawn(60, 3, seed=2), seed=0)) == "not shown"


def test_the_temperature_that_fits_takes_the_sharpness_back() -> None:
    found = calibration_of(*drawn(4000, 3, seed=3, sharpness=2.0), seed=0)["temperature"]
    assert found["best"] == pytest.approx(2.0, rel=0.1)
    assert found["change"]["high"] < 0
    fine = calibration_of(*drawn(4000, 3, seed=3), seed=0)["temperature"]
    assert fine["best"] == pytest.approx(1.0, rel=0.1)
    assert fine["change"]["high"] > 0


def test_samples_are_judged_by_their_mean() -> None:
    predictions, said = drawn(300, 3, seed=4)
    samples = torch.stack([said, said])
    found, same = (calibration_of(predictions, table, seed=0) for table in (samples, said))
    assert found.pop("samples") == 2
    assert same.pop("samples") is None
    assert found == same


def test_a_finding_is_small_and_plain_json() -> None:
    found = calibration_of(*drawn(5000, 50, seed=6), seed=0)
    assert len(json.dumps(found, allow_nan=False)) < 20_000


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_is_measured_without_a_ranking(right: bool) -> None:
    predictions, said = drawn(50, 2, seed=7)
    target = predictions.predicted_N if right else 1 - predictions.predicted_N
    other = Predictions(
        **{
            name: target if name == "target_N" else getattr(predictions, name)
            for name in Predictions.__slots__
        }
    )
    found = calibration_of(other, said, seed=0)
    assert found["ranking"] is None
    assert found["accuracy"] == float(right)
    json.dumps(found, allow_nan=False)


def test_what_can_not_be_measured_says_why() -> None:
    nothing = Predictions(**{name: np.zeros(0) for name in Predictions.__slots__})
    assert calibration_of(nothing, torch.zeros(0, 2), seed=0) == {
        "n": 0,
        "missing": "there are no held-out items",
    }
    predictions, said = drawn(20, 2, seed=8)
    assert "NaN" in calibration_of(predictions, said * torch.nan, seed=0)["missing"]


def test_an_item_whose_class_had_no_chance_counts_as_all_but_impossible() -> None:
    predictions, said = drawn(40, 3, seed=9)
    sure = torch.full_like(said, -torch.inf)
    sure[:, 0] = 0.0
    found = calibration_of(predictions, sure, seed=0)
    assert found["nll"]["value"] == pytest.approx(87.34 * (predictions.target_N != 0).mean(), rel=1e-3)
    assert found["temperature"]["best"] > 5
    json.dumps(found, allow_nan=False)


def test_a_round_keeps_one_finding_however_often_it_is_evaluated(played: Played) -> None:
    parts = played(2)
    with parts.store.read() as tx:
        found = tx.facts(parts.project).diagnostics.all(NAME)
        last = tx.rounds.all(parts.project.id)[-1]
    assert [one.round_number for one in found] == [0, 1]
    with parts.store.begin() as tx:
        keep_calibration(tx, parts.project.id, last.id, {"n": 0})
        assert len(tx.facts(parts.project).diagnostics.all(NAME)) == 2
    predictions = None
    with parts.store.read() as tx:
        predictions = tx.facts(parts.project).predictions.of_round(1)
    assert predictions is not None
    assert found[-1].content["accuracy"] == pytest.approx(predictions.right_N.mean(), rel=1e-5)
    assert found[-1].content["n"] == len(predictions)
