import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

import acquisition
from acquisition.diagnostics import (
    calibration_floor,
    classwise_calibration_error,
    expected_calibration_error,
    reliability,
)


def top(confidences):
    """Two classes; class 0 has the confidence."""
    confidence = torch.as_tensor(confidences, dtype=torch.float64)
    return torch.stack([confidence, 1 - confidence], -1).log()


def right(truths):
    return 1 - torch.as_tensor(truths, dtype=torch.long)


def test_certainty_that_is_right_half_the_time_errs_by_one_half():
    found = expected_calibration_error(top([1.0] * 10), right([1, 0] * 5))
    assert found == pytest.approx(0.5, abs=1e-12)


def test_bins_of_equal_width_hide_what_bins_of_equal_mass_show():
    log_probs, targets = top([0.55] * 10 + [0.58] * 10), right([1] * 10 + [0] * 10)
    assert expected_calibration_error(log_probs, targets, bins=10) == pytest.approx(0.065, abs=1e-6)
    found = expected_calibration_error(log_probs, targets, bins=2, scheme="equal_mass")
    assert found == pytest.approx(0.515, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(2, 6), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_the_error_is_torchmetrics(seed, n_items, n_classes, bins):
    generator = torch.Generator().manual_seed(seed)
    probs = (2 * torch.randn(n_items, n_classes, generator=generator)).softmax(-1)
    targets = torch.randint(n_classes, (n_items,), generator=generator)
    theirs = multiclass_calibration_error(probs, targets, num_classes=n_classes, n_bins=bins)
    ours = expected_calibration_error(probs.log(), targets, bins=bins)
    assert ours == pytest.approx(theirs.item(), abs=1e-5)


@pytest.mark.parametrize("scheme", ["equal_width", "equal_mass"])
def test_the_order_of_the_items_does_not_matter(scheme):
    generator = torch.Generator().manual_seed(1)
    confidences = 0.5 + torch.randint(0, 5, (60,), generator=generator) / 10.0
    log_probs, targets = top(confidences), torch.randint(2, (60,), generator=generator)
    order = torch.randperm(60, generator=generator)
    first = expected_calibration_error(log_probs, targets, bins=7, scheme=scheme)
    second = expected_calibration_error(log_probs[order], targets[order], bins=7, scheme=scheme)
    assert first == pytest.approx(second, abs=1e-12)


def test_bins_of_equal_mass_hold_equally_many():
    log_probs = top(torch.linspace(0.5, 1, 103))
    rows = reliability(log_probs, right([1] * 103), bins=10, scheme="equal_mass")
    assert [row.count for row in rows] == [10, 10, 10, 11, 10, 10, 11, 10, 10, 11]


@pytest.mark.parametrize(("n_items", "expected"), [(100, 0.088), (300, 0.050), (1000, 0.029), (5000, 0.012)])
def test_the_floor_is_what_a_perfect_model_shows(n_items, expected):
    confidences = 0.5 + 0.5 * torch.rand(n_items, generator=torch.Generator().manual_seed(7))
    floor = calibration_floor(top(confidences), draws=100)
    assert floor.mean == pytest.approx(expected, rel=0.2)
    assert floor.mean < floor.high < 2 * floor.mean
    assert floor.p_value is None


def test_the_p_value_of_a_calibrated_model_is_uniform_and_of_a_wrong_one_small():
    generator = torch.Generator().manual_seed(3)
    p_values = []
    for seed in range(120):
        confidences = 0.5 + 0.5 * torch.rand(200, generator=generator)
        targets = right((torch.rand(200, generator=generator) < confidences).long())
        p_values.append(calibration_floor(top(confidences), targets, draws=40, seed=seed).p_value)
    found = torch.tensor(p_values)
    assert 0.4 < found.mean() < 0.6
    assert 0.02 < (found <= 0.1).double().mean() < 0.2
    wrong = right((torch.rand(200, generator=generator) < 0.5).long())
    assert calibration_floor(top([0.9] * 200), wrong).p_value == pytest.approx(1 / 201)


def test_the_floor_repeats_with_its_seed():
    log_probs = top(torch.linspace(0.5, 1, 50))
    assert calibration_floor(log_probs, seed=1) == calibration_floor(log_probs, seed=1)
    assert calibration_floor(log_probs, seed=1) != calibration_floor(log_probs, seed=2)


def test_reliability_rows_by_hand():
    rows = reliability(top([0.62, 0.66, 0.95, 1.0]), right([1, 0, 1, 1]), bins=10)
    assert [(row.low, row.high, row.count) for row in rows] == [
        (pytest.approx(0.6), pytest.approx(0.7), 2),
        (pytest.approx(0.9), 1.0, 2),
    ]
    assert rows[0].confidence == pytest.approx(0.64)
    assert rows[0].accuracy == 0.5
    assert rows[1].confidence == pytest.approx(0.975)
    # Wilson's interval of 1 of 2: middle ½, half width z √(1/8 + z²/16) / (1 + z²/2).
    z = 1.959963984540054
    half = z * math.sqrt(1 / 8 + z**2 / 16) / (1 + z**2 / 2)
    assert rows[0].accuracy_low == pytest.approx(0.5 - half)
    assert rows[0].accuracy_high == pytest.approx(0.5 + half)
    assert rows[1].accuracy_high == 1.0


def test_the_error_is_the_weighted_gap_of_the_rows(log_probs_T_N_C):
    targets = torch.arange(30) % 4
    for scheme in ("equal_width", "equal_mass"):
        rows = reliability(log_probs_T_N_C, targets, bins=6, scheme=scheme)
        gaps = sum(row.count * abs(row.accuracy - row.confidence) for row in rows) / 30
        assert expected_calibration_error(log_probs_T_N_C, targets, bins=6, scheme=scheme) == pytest.approx(
            gaps
        )


def test_the_classwise_error_sees_every_class():
    log_probs = torch.tensor([[0.8, 0.2, 0.0]], dtype=torch.float64).log().repeat(10, 1)
    targets = torch.tensor([0] * 8 + [2] * 2)
    found = classwise_calibration_error(log_probs, targets)
    assert found.errors_C.tolist() == pytest.approx([0.0, 0.2, 0.2])
    assert found.mean == pytest.approx(0.4 / 3)


def test_wrong_options_are_refused():
    log_probs, targets = top([0.7, 0.8]), right([1, 0])
    with pytest.raises(acquisition.InvalidOption, match="bins is 0"):
        expected_calibration_error(log_probs, targets, bins=0)
    with pytest.raises(acquisition.InvalidOption, match="scheme is 'mass'"):
        expected_calibration_error(log_probs, targets, scheme="mass")
    with pytest.raises(acquisition.InvalidOption, match="level is 1"):
        reliability(log_probs, targets, level=1)
    with pytest.raises(acquisition.InvalidOption, match="draws is 0"):
        calibration_floor(log_probs, draws=0)
