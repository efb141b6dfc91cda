"""Rules that look at a learning curve, on curves whose course is known."""

import math

import numpy as np
import pytest
import torch

from acquisition.stopping.expected_gain import expected_gain
from acquisition.stopping.history import History, LabelingRound
from acquisition.stopping.weighted_line import measured, weighted_line
from acquisition.stopping_rules import stop


def curve(labels, top=0.95, height=1.2, power=0.6, error=0.0, seed=0):
    noise = error * np.random.default_rng(seed).standard_normal(len(labels))
    return [top - height * n**-power + e for n, e in zip(labels, noise.tolist(), strict=True)]


def history(labels, accuracies, error=None, cost=None):
    return History(
        rounds=tuple(
            LabelingRound(
                n_labels=n,
                accuracy=accuracy,
                standard_error=error,
                cost=None if cost is None else cost * n,
            )
            for n, accuracy in zip(labels, accuracies, strict=True)
        )
    )


LABELS = list(range(20, 220, 20))


def test_a_line_is_numpys():
    x, y = torch.tensor([1.0, 2, 4, 7]).double(), torch.tensor([0.3, 0.1, 0.9, 1.4]).double()
    errors = torch.tensor([0.1, 0.2, 0.1, 0.4]).double()
    (slope, level), covariance = np.polyfit(x, y, 1, w=1 / errors, cov="unscaled")
    line = weighted_line(x, y, errors)
    assert (line.slope, line.level) == (pytest.approx(slope), pytest.approx(level))
    assert line.slope_error == pytest.approx(covariance[0, 0] ** 0.5)
    residuals = (y - level - slope * x) / errors
    assert line.chi_squared == pytest.approx((residuals**2).sum().item())


def test_the_gain_of_an_exact_power_law_is_found():
    accuracies = curve(LABELS)
    gain = expected_gain(measured([(n, a, None) for n, a in zip(LABELS, accuracies, strict=True)]), 20, 0.9)
    true = 1.2 * (200**-0.6 - 220**-0.6)
    assert gain.expected == pytest.approx(true, rel=0.01)
    assert gain.low <= gain.expected <= gain.high


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says():
    true, held, width = 1.2 * (200**-0.6 - 240**-0.6), 0, []
    for seed in range(200):
        accuracies = curve(LABELS, error=0.01, seed=seed)
        points = measured([(n, a, 0.01) for n, a in zip(LABELS, accuracies, strict=True)])
        gain = expected_gain(points, 40, 0.9)
        held += gain.low <= true <= gain.high
        width.append(gain.high - gain.low)
    assert 0.82 <= held / 200 <= 0.98
    assert np.mean(width) < 2 * true


def test_expected_gain_stops_where_the_curve_brings_less_than_the_threshold():
    rounds = history(LABELS, curve(LABELS, error=0.002), error=0.002)
    # 20 labels after 200 bring 1.2 (200^-.6 − 220^-.6) = .0028, that is .00014 a label.
    going_on = stop("expected_gain", rounds, threshold=1e-4)
    stopping = stop("expected_gain", rounds, threshold=2e-4)
    assert (going_on.stop, stopping.stop) == (False, True)
    assert going_on.value == stopping.value == pytest.approx(1.4e-4, rel=0.2)
    assert "20 labels are expected to bring 0.00" in going_on.reason
    assert "per label" in going_on.reason
    larger = stop("expected_gain", rounds, batch=200)
    assert larger.value == pytest.approx(1.2 * (200**-0.6 - 400**-0.6) / 200, rel=0.2)


def test_gain_is_counted_per_cost_where_costs_are_known():
    plain = stop("expected_gain", history(LABELS, curve(LABELS), error=0.01))
    paid = stop("expected_gain", history(LABELS, curve(LABELS), error=0.01, cost=0.5))
    assert paid.value == pytest.approx(2 * plain.value)
    assert "per unit of cost" in paid.reason
    free = stop("expected_gain", history(LABELS, curve(LABELS), error=0.01, cost=0.0))
    assert not free.stop
    assert "cost nothing" in free.reason


@pytest.mark.parametrize("price", [None, 0.0006, 0.06, 9.0, 1500.0])
@pytest.mark.parametrize("error", [0.002, 0.01])
def test_what_a_currency_is_worth_changes_no_verdict(price, error):
    """A point for the price of a hundred labels: the same said in cents, dollars, yen or hours."""
    ends = [curve(LABELS, height=height, error=error) for height in (1.2, 0.2)]
    for accuracies, stops in zip(ends, (False, True), strict=True):
        verdict = stop("expected_gain", history(LABELS, accuracies, error=error, cost=price))
        assert verdict.stop is stops
        assert verdict.threshold == pytest.approx(1e-4 / (price or 1.0))
        assert "0.01 for 100 labels" in verdict.reason
    assert "for 100 labels" not in stop("expected_gain", history(LABELS, ends[0]), threshold=1e-4).reason


def test_a_falling_curve_is_expected_to_bring_next_to_nothing():
    falling = [0.9 - 0.0005 * n for n in LABELS]
    verdict = stop("expected_gain", history(LABELS, falling, error=0.005))
    assert verdict.stop
    assert 0 <= verdict.value < 2e-5


@pytest.mark.parametrize("name", ["expected_gain", "plateau"])
def test_few_rounds_are_not_enough_evidence(name):
    flat = history(LABELS[:4], [0.9] * 4, error=0.001)
    verdict = stop(name, flat)
    assert not verdict.stop
    assert math.isnan(verdict.value)
    assert "Not enough evidence" in verdict.reason
    assert not stop(name, History(rounds=())).stop
    unmeasured = History(rounds=tuple(LabelingRound(n_labels=n) for n in LABELS))
    assert math.isnan(stop(name, unmeasured).value)


def test_a_standard_error_of_zero_and_labels_that_do_not_grow_are_no_evidence():
    verdict = stop("expected_gain", history(LABELS, curve(LABELS), error=0.0))
    assert "a standard error of 0 is no measurement" in verdict.reason
    assert "not enough rounds, 1 of 5" in stop("expected_gain", history([20] * 8, [0.9] * 8)).reason
    assert "no label was added" in stop("plateau", history([20] * 8, [0.9] * 8)).reason


def test_a_plateau_that_is_known_well_stops():
    flat = history(LABELS, [0.9 + 0.0005 * (-1) ** i for i in range(10)], error=0.002)
    verdict = stop("plateau", flat)
    assert verdict.stop
    assert verdict.value < 1 == verdict.threshold
    assert "over 80 labels" in verdict.reason


def test_a_rising_curve_does_not_stop():
    verdict = stop("plateau", history(LABELS, [0.5 + 0.002 * n for n in LABELS], error=0.002))
    assert not verdict.stop
    # Slope .002 a label, error .002 / sqrt(Σ (x − mean)²) = .002 / sqrt(4000).
    assert verdict.value == pytest.approx(4000**0.5, rel=1e-6)


def test_a_noisy_curve_is_not_taken_for_flat():
    verdict = stop("plateau", history(LABELS, [0.9] * 10, error=0.1))
    assert not verdict.stop
    assert math.isnan(verdict.value)
    assert "it may still be" in verdict.reason
    assert stop("plateau", history(LABELS, [0.9] * 10, error=0.1), tolerance=0.2).stop


def test_without_standard_errors_the_scatter_around_the_line_counts():
    accuracies = [0.9, 0.904, 0.899, 0.903, 0.901]
    verdict = stop("plateau", history(LABELS[:5], accuracies))
    (slope, _), covariance = np.polyfit(LABELS[:5], accuracies, 1, cov=True)
    assert verdict.value == pytest.approx(slope / covariance[0, 0] ** 0.5)
    assert verdict.stop
    assert stop("plateau", history(LABELS[:5], [0.9] * 5)).stop
