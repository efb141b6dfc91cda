import math

import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss

import acquisition
from acquisition import diagnostics


def test_scores_by_hand():
    log_probs = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], dtype=torch.float64).log()
    targets = torch.tensor([0, 2])
    assert diagnostics.accuracy(log_probs, targets) == 0.5
    assert diagnostics.negative_log_likelihood(log_probs, targets) == pytest.approx(
        (math.log(2) + math.log(10)) / 2
    )
    by_hand = (0.25 + 0.0625 * 2 + 0.01 + 0.64 + 0.81) / 2
    assert diagnostics.brier_score(log_probs, targets) == pytest.approx(by_hand)


def test_scores_are_scikit_learns(log_probs_T_N_C):
    mean = log_probs_T_N_C.exp().mean(0)
    targets = torch.arange(30) % 4
    assert diagnostics.negative_log_likelihood(log_probs_T_N_C, targets) == pytest.approx(
        log_loss(targets, mean)
    )
    theirs = brier_score_loss(targets, mean, scale_by_half=False)
    assert diagnostics.brier_score(log_probs_T_N_C, targets) == pytest.approx(theirs)


def test_a_class_of_probability_zero_that_happened_costs_infinitely_much():
    log_probs = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log()
    assert diagnostics.negative_log_likelihood(log_probs, torch.tensor([1, 0])) == math.inf
    assert diagnostics.negative_log_likelihood(log_probs, torch.tensor([0, 0])) == pytest.approx(
        math.log(2) / 2
    )


@pytest.mark.parametrize(
    "measure",
    [
        diagnostics.accuracy,
        diagnostics.brier_score,
        diagnostics.negative_log_likelihood,
        diagnostics.expected_calibration_error,
        diagnostics.classwise_calibration_error,
        diagnostics.reliability,
        diagnostics.risk_coverage,
        diagnostics.calibration_floor,
    ],
)
def test_one_class_passes_and_nothing_or_nan_is_refused(measure):
    measure(torch.zeros(1, 4, 1), torch.zeros(4, dtype=torch.long))
    with pytest.raises(acquisition.InvalidInput, match="no items"):
        measure(torch.zeros(2, 0, 3), torch.zeros(0, dtype=torch.long))
    broken = torch.zeros(2, 9, 4).log_softmax(-1)
    broken[1, 5, 0] = torch.nan
    with pytest.raises(acquisition.NotFinite, match="rows: 5"):
        measure(broken, torch.zeros(9, dtype=torch.long))
