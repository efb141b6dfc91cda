"""All calibrators of the catalog: laws, known answers and a parity with scikit-learn."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition
from acquisition.calibrating import calibrate, restore_calibration
from acquisition.calibration.held_out import log_mean
from acquisition.calibration.moving import moved
from acquisition.calibration.one_vs_rest import log_odds
from acquisition.catalog import BUILT_IN
from acquisition.diagnostics import expected_calibration_error, negative_log_likelihood

CALIBRATORS = sorted(BUILT_IN["calibrators"])
every_calibrator = pytest.mark.parametrize("name", CALIBRATORS)


def overconfident(n_items, n_samples=1, n_classes=5, scale=3.0, noise=0.0, seed=0):
    """Labels drawn from softmax(z), predictions from softmax(scale · (z + noise))."""
    generator = torch.Generator().manual_seed(seed)
    logits_N_C = 1.5 * torch.randn(n_items, n_classes, generator=generator, dtype=torch.float64)
    targets_N = torch.multinomial(logits_N_C.softmax(-1), 1, generator=generator)[:, 0]
    shape = (n_samples, n_items, n_classes)
    noisy = logits_N_C + noise * torch.randn(shape, generator=generator, dtype=torch.float64)
    return (scale * noisy).log_softmax(-1), targets_N


@every_calibrator
def test_held_out_likelihood_and_calibration_error_improve(name):
    fitted_on, fitted_targets = overconfident(2000, n_samples=4, noise=0.3)
    held_out, targets = overconfident(3000, n_samples=4, noise=0.3, seed=1)
    calibration = calibrate(name, fitted_on, fitted_targets)
    after = calibration(held_out)
    assert negative_log_likelihood(after, targets) < negative_log_likelihood(held_out, targets) - 0.3
    assert expected_calibration_error(after, targets) < 0.04 < expected_calibration_error(held_out, targets)


@every_calibrator
def test_the_result_is_normalised_in_the_shape_and_type_of_the_input(name):
    log_probs_T_N_C, targets_N = overconfident(300, n_samples=3)
    calibration = calibrate(name, log_probs_T_N_C, targets_N)
    for given_ in (log_probs_T_N_C, log_probs_T_N_C[0], log_probs_T_N_C.float()):
        mapped = calibration(given_)
        assert mapped.shape == given_.shape
        assert mapped.dtype == given_.dtype
        assert torch.allclose(mapped.exp().sum(-1), torch.ones(()).to(mapped), atol=1e-5)


@every_calibrator
def test_a_saved_calibration_maps_as_before(name):
    log_probs, targets = overconfident(200, n_samples=2)
    calibration = calibrate(name, log_probs, targets)
    again = restore_calibration(name, calibration.state())
    assert torch.equal(again(log_probs), calibration(log_probs))
    assert all(isinstance(tensor, torch.Tensor) for tensor in calibration.state().values())


@every_calibrator
def test_probabilities_of_zero_and_classes_never_seen_stay_finite_where_it_counts(name):
    log_probs, targets = overconfident(60, n_classes=4)
    targets = targets % 3
    calibration = calibrate(name, log_probs, targets)
    one_hot = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]).log()
    for given_ in (one_hot, torch.stack([one_hot, one_hot.roll(1, -1)])):
        mapped = calibration(given_)
        assert not mapped.isnan().any()
        assert torch.allclose(mapped.exp().sum(-1), torch.ones(()), atol=1e-5)


@every_calibrator
def test_predictions_made_without_gradients_can_be_calibrated_anywhere(name):
    with torch.inference_mode():
        log_probs, targets = overconfident(100)
        inside = calibrate(name, log_probs, targets)
        mapped = inside(log_probs)
    outside = calibrate(name, log_probs, targets)
    assert torch.equal(outside(log_probs), mapped)
    assert not any(tensor.requires_grad for tensor in outside.state().values())


@every_calibrator
def test_equal_predictions_are_mapped_to_the_shares_that_were_seen(name):
    log_probs = torch.tensor([[0.7, 0.3]], dtype=torch.float64).log().expand(2000, 2)
    targets = (torch.arange(2000) % 10 < 2).long()
    mapped = calibrate(name, log_probs, targets)(log_probs)
    assert mapped[0, 1].exp().item() == pytest.approx(0.2, abs=0.01)


@every_calibrator
def test_items_that_are_all_right_give_a_finite_map(name):
    targets = torch.arange(40) % 3
    log_probs = (20.0 * torch.nn.functional.one_hot(targets)).double().log_softmax(-1)
    mapped = calibrate(name, log_probs, targets)(log_probs)
    assert mapped.isfinite().all()
    assert (mapped.argmax(-1) == targets).all()


@every_calibrator
def test_what_can_not_be_calibrated_is_refused(name):
    log_probs, targets = overconfident(20)
    refusals = [
        (log_probs[:, :0], targets[:0], "no items"),
        (torch.zeros(1, 20, 1), torch.zeros(20, dtype=torch.long), "at least two classes"),
        (log_probs, targets.double(), "as integers"),
        (log_probs, targets[:-1], "classes of 20 items"),
        (log_probs, targets + 3, "target of row"),
        (log_probs.unsqueeze(-1), targets, "multilabel"),
        (acquisition.predictions.Gaussians(log_probs[0], log_probs[0]), targets, "regression"),
        (log_probs.exp(), targets, "sum to"),
    ]
    for given_, labels, message in refusals:
        with pytest.raises(acquisition.InvalidInput, match=message):
            calibrate(name, given_, labels)
    broken = log_probs.clone()
    broken[0, 7, 2] = torch.nan
    with pytest.raises(acquisition.NotFinite) as caught:
        calibrate(name, broken, targets)
    assert caught.value.rows == (7,)
    calibration = calibrate(name, log_probs, targets)
    with pytest.raises(acquisition.InvalidInput, match="of 5 classes, the predictions have 3"):
        calibration(torch.zeros(2, 4, 3).log_softmax(-1))
    with pytest.raises(acquisition.InvalidInput, match="has the tensors"):
        restore_calibration(name, {"other": targets})


def test_the_temperature_of_logits_times_three_is_three():
    drawn = [overconfident(20_000, scale=3.0, seed=seed) for seed in range(8)]
    found = [calibrate("temperature", *pair).tensors["temperature"] for pair in drawn]
    # One draw of 20,000 labels puts the optimum 0.032 (standard deviation) around 3.
    assert torch.stack(found).mean().item() == pytest.approx(3, abs=0.035)
    assert max(abs(temperature.item() - 3) for temperature in found) < 0.1
    log_probs, targets = drawn[0]
    calibration = calibrate("temperature", log_probs, targets)
    mapped = calibration(log_probs)
    assert (mapped.argmax(-1) == log_probs.argmax(-1)).all()
    assert expected_calibration_error(log_probs, targets) > 0.15
    assert expected_calibration_error(mapped, targets) < 0.015


def test_the_temperature_is_where_the_likelihood_has_no_slope():
    log_probs, targets = overconfident(400, n_samples=3, noise=0.5)
    best = calibrate("temperature", log_probs, targets, prior_sd=float("inf")).tensors["temperature"]

    def loss(temperature):
        return negative_log_likelihood((log_probs / temperature).log_softmax(-1), targets)

    assert all(loss(best) <= loss(best * factor) + 1e-12 for factor in (0.5, 0.9, 0.999, 1.001, 1.1, 2.0))


def test_a_narrow_prior_holds_the_temperature_at_one_and_labels_overcome_a_wide_one():
    few, targets = overconfident(60, scale=3.0)
    found = [
        calibrate("temperature", few, targets, prior_sd=sd).tensors["temperature"] for sd in (0.01, 0.3, 1)
    ]
    free = calibrate("temperature", few, targets, prior_sd=float("inf")).tensors["temperature"]
    assert found[0].item() == pytest.approx(1, abs=0.01)
    assert found[0] < found[1] < found[2] < free
    vector = calibrate("vector", few, targets, prior_sd=1e-3).tensors
    assert torch.allclose(vector["weight_C"], torch.ones(5).double(), atol=1e-3)
    assert torch.allclose(vector["bias_C"], torch.zeros(5).double(), atol=1e-3)


def test_without_a_prior_a_temperature_that_has_no_optimum_is_refused():
    targets = torch.arange(40) % 3
    log_probs = (20.0 * torch.nn.functional.one_hot(targets)).double().log_softmax(-1)
    with pytest.raises(acquisition.InvalidInput, match="No finite temperature"):
        calibrate("temperature", log_probs, targets, prior_sd=float("inf"))


@pytest.mark.parametrize("name", ["temperature", "vector"])
def test_a_class_of_probability_zero_that_happened_is_refused(name):
    log_probs = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log()
    with pytest.raises(acquisition.InvalidInput, match=r"first rows: \[0\]"):
        calibrate(name, log_probs, torch.tensor([1, 0]))
    with pytest.raises(acquisition.InvalidOption, match="prior_sd is 0"):
        calibrate(name, log_probs, torch.tensor([0, 0]), prior_sd=0)


def test_vector_finds_the_weights_and_biases_that_labels_were_drawn_with():
    generator = torch.Generator().manual_seed(4)
    log_probs = (2 * torch.randn(40_000, 3, generator=generator, dtype=torch.float64)).log_softmax(-1)
    weight, bias = torch.tensor([0.5, 1.0, 1.5]).double(), torch.tensor([0.6, 0.0, -0.6]).double()
    true = (log_probs * weight + bias).log_softmax(-1)
    targets = torch.multinomial(true.exp(), 1, generator=generator)[:, 0]
    fitted = calibrate("vector", log_probs, targets).tensors
    assert torch.allclose(fitted["weight_C"], weight, atol=0.08)
    assert torch.allclose(fitted["bias_C"] - fitted["bias_C"].mean(), bias, atol=0.08)


def test_platt_of_two_classes_is_scikit_learns_sigmoid():
    from sklearn.calibration import _SigmoidCalibration

    log_probs, targets = overconfident(500, n_classes=2)
    odds = (log_probs[0, :, 1] - log_probs[0, :, 0]).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = _SigmoidCalibration().fit(odds, targets.numpy()).predict(odds)
    ours = calibrate("platt", log_probs, targets)(log_probs)[0, :, 1].exp()
    assert torch.allclose(ours, torch.from_numpy(theirs), atol=2e-5)
    fitted = calibrate("platt", log_probs, targets).tensors
    assert fitted["slope_C"][0].item() == pytest.approx(fitted["slope_C"][1].item(), abs=1e-8)
    assert fitted["offset_C"].sum().item() == pytest.approx(0, abs=1e-8)


def test_isotonic_curves_are_scikit_learns_within_the_smallest_shares():
    from sklearn.isotonic import IsotonicRegression

    log_probs, targets = overconfident(400, n_classes=2)
    ours = calibrate("isotonic", log_probs, targets)(log_probs)[0, :, 1].exp()
    probs, is_one = log_probs[0, :, 1].exp().numpy(), targets.double().numpy()
    curve = IsotonicRegression(y_min=1 / 402, y_max=401 / 402, out_of_bounds="clip").fit(probs, is_one)
    other = IsotonicRegression(y_min=1 / 402, y_max=401 / 402, out_of_bounds="clip").fit(
        1 - probs, 1 - is_one
    )
    one, zero = torch.from_numpy(curve.predict(probs)), torch.from_numpy(other.predict(1 - probs))
    assert torch.allclose(ours, one / (one + zero), atol=1e-9)


@pytest.mark.parametrize("name", ["platt", "isotonic"])
def test_the_mean_of_calibrated_samples_is_the_calibrated_mean(name):
    log_probs, targets = overconfident(300, n_samples=6, noise=0.8)
    calibration = calibrate(name, log_probs, targets)
    of_the_mean = calibration(log_mean(log_probs))
    assert torch.allclose(log_mean(calibration(log_probs)).exp(), of_the_mean.exp(), atol=1e-9)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 5), st.floats(0.1, 30))
@settings(max_examples=60, deadline=None)
def test_moved_samples_have_the_wanted_mean_and_tell_no_more_than_before(seed, n_samples, n_classes, scale):
    generator = torch.Generator().manual_seed(seed)
    shape = (n_samples, 3, n_classes)
    log_probs = (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).log_softmax(-1)
    target = torch.randn(shape[1:], generator=generator, dtype=torch.float64).log_softmax(-1)
    result = moved(log_probs, target)
    assert torch.allclose(log_mean(result).exp(), target.exp(), atol=1e-9)
    assert (acquisition.score("bald", result) <= acquisition.score("bald", log_probs) + 1e-9).all()


def test_log_odds_keep_what_a_probability_near_one_would_round_away():
    logits = torch.tensor([[60.0, 0.0, 0.0], [0.0, 1.0, 2.0]], dtype=torch.float64)
    odds = log_odds(logits.log_softmax(-1))
    assert odds[0, 0].item() == pytest.approx(60 - torch.tensor(2.0).log().item(), abs=1e-6)
    probs = logits[1].softmax(-1)
    assert torch.allclose(odds[1], torch.logit(probs), atol=1e-9)
    assert log_odds(torch.tensor([[1.0, 0.0]]).log()).tolist() == [[700.0, -700.0]]
