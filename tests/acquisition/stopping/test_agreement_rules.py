"""Rules that look at the predictions of a stop set: kappa by hand, then what is made of it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

import acquisition
from acquisition.stopping.agreement import cohen_kappa
from acquisition.stopping.history import History, LabelingRound, observed_round
from acquisition.stopping_rules import stop


def history(*predicted):
    return History(
        rounds=tuple(
            LabelingRound(n_labels=10 * i, predicted_N=torch.tensor(row)) for i, row in enumerate(predicted)
        )
    )


def swapped(n_swapped, n_items=1000):
    """Two balanced classes; so many items of each class are given the other."""
    half = n_items // 2
    return [1] * n_swapped + [0] * (half - n_swapped) + [0] * n_swapped + [1] * (half - n_swapped)


def test_kappa_by_hand():
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 35/50, p_e = .5·.6 + .5·.4 = .5.
    first = torch.tensor([1] * 25 + [0] * 25)
    second = torch.tensor([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert cohen_kappa(first, second) == pytest.approx(0.4, abs=1e-12)
    assert cohen_kappa(first, 1 - first) == pytest.approx(-1)
    assert cohen_kappa(first, first) == pytest.approx(1)
    assert math.isnan(cohen_kappa(torch.ones(5).long(), torch.ones(5).long()))


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_kappa_is_scikit_learns(seed, n_items, n_classes):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(n_classes, (n_items,), generator=generator)
    second = torch.randint(n_classes, (n_items,), generator=generator)
    first[0], second[0] = 0, 1
    assert cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_stabilizing_predictions_stops_at_a_mean_kappa_of_the_threshold():
    # A swap of s items of each class of 500 makes kappa 1 − 2s/500: .992, .988, .992 and their mean .9907.
    base = swapped(0)
    moved_by_two, moved_by_three = swapped(2), swapped(3)
    verdict = stop("stabilizing_predictions", history(base, moved_by_two, base, moved_by_two))
    assert verdict.stop
    assert verdict.value == pytest.approx(0.992, abs=1e-9)
    assert verdict.threshold == 0.99
    worse = stop("stabilizing_predictions", history(base, moved_by_three, base, moved_by_three))
    assert not worse.stop
    assert worse.value == pytest.approx(0.988, abs=1e-9)
    mixed = stop("stabilizing_predictions", history(base, moved_by_two, base, moved_by_three))
    assert mixed.value == pytest.approx((0.992 + 0.992 + 0.988) / 3, abs=1e-9)
    assert mixed.stop
    assert stop(
        "stabilizing_predictions", history(base, moved_by_three, base, moved_by_three), threshold=0.98
    )
    assert "mean kappa of the last 3 steps is at least 0.99. It is 0.9907" in mixed.reason


def test_kappa_lets_no_good_step_make_up_for_a_bad_one():
    base = swapped(0)
    rounds = history(base, swapped(3), base, swapped(2))
    assert stop("kappa", rounds).stop
    strict = stop("kappa", rounds, window=3)
    assert not strict.stop
    assert strict.value == pytest.approx(0.988, abs=1e-9)
    assert "each of the last 3 steps" in strict.reason


def test_classification_change_stops_when_nothing_changes():
    same = stop("classification_change", history([0, 1, 1, 0], [0, 1, 1, 1], [0, 1, 1, 1]))
    assert (same.stop, same.value) == (True, 0.0)
    changed = stop("classification_change", history([0, 1, 1, 0], [0, 1, 1, 1]))
    assert (changed.stop, changed.value) == (False, 0.25)
    assert stop("classification_change", history([0, 1, 1, 0], [0, 1, 1, 1]), threshold=0.25).stop
    window = stop("classification_change", history([0, 1, 1, 0], [0, 1, 1, 1], [0, 1, 1, 1]), window=2)
    assert (window.stop, window.value) == (False, 0.25)


@pytest.mark.parametrize(
    ("name", "options", "enough"),
    [("stabilizing_predictions", {}, 4), ("kappa", {}, 2), ("classification_change", {"window": 2}, 3)],
)
def test_short_histories_and_missing_predictions_are_not_enough_evidence(name, options, enough):
    rows = [swapped(0)] * enough
    assert stop(name, history(*rows), **options).stop
    short = stop(name, history(*rows[1:]), **options)
    assert not short.stop
    assert math.isnan(short.value)
    assert "Not enough evidence: predictions of one stop set in the last" in short.reason
    assert not stop(name, History(rounds=()), **options).stop
    full = history(*rows).rounds
    gap = (*full[:-1], LabelingRound(n_labels=999))
    assert "Not enough evidence" in stop(name, History(rounds=gap), **options).reason


@pytest.mark.parametrize("name", ["stabilizing_predictions", "kappa", "classification_change"])
def test_one_class_for_everything_is_no_agreement(name):
    verdict = stop(name, history(*[[2, 2, 2, 2]] * 5))
    assert not verdict.stop
    assert math.isnan(verdict.value)
    assert "one and the same class" in verdict.reason


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("stabilizing_predictions", {"threshold": 0}),
        ("stabilizing_predictions", {"window": 0}),
        ("kappa", {"threshold": 1.1}),
        ("classification_change", {"threshold": 1}),
        ("overall_uncertainty", {"threshold": 0}),
        ("overall_uncertainty", {"window": 0}),
        ("plateau", {"window": 2}),
        ("plateau", {"errors": 0}),
        ("plateau", {"tolerance": -1}),
        ("expected_gain", {"threshold": 0}),
        ("expected_gain", {"batch": 0}),
        ("expected_gain", {"least_rounds": 3}),
        ("expected_gain", {"level": 1}),
        ("kappa", {"level": 1}),
    ],
)
def test_options_out_of_range_are_refused(name, option):
    with pytest.raises(acquisition.InvalidOption, match=next(iter(option))):
        stop(name, history([0, 1]), **option)


def test_overall_uncertainty_compares_the_mean_entropy_in_nats():
    def seen(*values):
        return History(rounds=tuple(LabelingRound(n_labels=i, mean_entropy=v) for i, v in enumerate(values)))

    assert stop("overall_uncertainty", seen(0.5, 0.04)).stop
    assert not stop("overall_uncertainty", seen(0.04, 0.05)).stop
    assert not stop("overall_uncertainty", seen(0.06, 0.04), window=2).stop
    lacking = stop("overall_uncertainty", seen(0.01, None))
    assert not lacking.stop
    assert "the mean entropy of the last round is needed" in lacking.reason


def test_an_observed_round_keeps_classes_and_the_mean_entropy(log_probs_T_N_C):
    round_ = observed_round(40, log_probs_T_N_C, accuracy=0.8, standard_error=0.05, cost=3.0)
    mean = log_probs_T_N_C.exp().mean(0)
    assert torch.equal(round_.predicted_N, mean.argmax(-1))
    entropy = acquisition.score("predictive_entropy", log_probs_T_N_C).mean().item()
    assert round_.mean_entropy == pytest.approx(entropy)
    assert (round_.n_labels, round_.accuracy, round_.standard_error, round_.cost) == (40, 0.8, 0.05, 3.0)


@pytest.mark.parametrize(
    ("rounds", "match"),
    [
        ([{"n_labels": 10}, {"n_labels": 9}], "fewer than the one before"),
        ([{"n_labels": 1, "cost": 2.0}, {"n_labels": 2, "cost": 1.0}], "less than the one before"),
        ([{"n_labels": -1}], "a whole number is expected"),
        ([{"n_labels": 1.5}], "a whole number is expected"),
        ([{"n_labels": 1, "accuracy": math.nan}], "accuracy of round 0 is nan"),
        ([{"n_labels": 1, "standard_error": -0.1}], "standard_error of round 0 is negative"),
        ([{"n_labels": 1, "mean_entropy": -0.1}], "mean_entropy of round 0 is negative"),
        ([{"n_labels": 1, "predicted_N": torch.rand(3)}], "one class number per item"),
        ([{"n_labels": 1, "predicted_N": torch.tensor([], dtype=torch.long)}], "one class number per item"),
        (
            [
                {"n_labels": 1, "predicted_N": torch.zeros(3).long()},
                {"n_labels": 2, "predicted_N": torch.zeros(4).long()},
            ],
            r"found sizes \[3, 4\]",
        ),
    ],
)
def test_histories_that_can_not_have_happened_are_refused(rounds, match):
    with pytest.raises(acquisition.InvalidInput, match=match):
        stop("kappa", History(rounds=tuple(LabelingRound(**round_) for round_ in rounds)))


def test_what_is_no_history_is_refused():
    with pytest.raises(acquisition.InvalidInput, match="found list"):
        stop("kappa", [])
    with pytest.raises(acquisition.UnknownMethod, match=r"no stopping rule 'kapa'\. Did you mean 'kappa'"):
        stop("kapa", History(rounds=()))
