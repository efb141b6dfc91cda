import pytest
import torch

import acquisition
from acquisition.calibrating import calibrate, calibrated


class Wrong:
    task = "regression"


@pytest.fixture(scope="module")
def posterior(make_model):
    return acquisition.mc_dropout(make_model("mlp"))


@pytest.fixture(scope="module")
def calibration(posterior, make_items):
    log_probs = acquisition.predict(posterior, make_items("mlp", 200, seed=3), n_samples=10)
    targets = torch.multinomial(
        (3 * log_probs.mean(0)).softmax(-1), 1, generator=torch.Generator().manual_seed(0)
    )
    return {name: calibrate(name, log_probs, targets[:, 0]) for name in acquisition.catalog()["calibrators"]}


@pytest.mark.parametrize("name", ["isotonic", "platt", "temperature", "vector"])
def test_a_calibrated_posterior_predicts_what_the_calibration_makes_of_its_predictions(
    name, posterior, calibration, make_items
):
    items = make_items("mlp", 50)
    wrapped = calibrated(posterior, calibration[name])
    expected = calibration[name](acquisition.predict(posterior, items, n_samples=7, seed=4))
    found = acquisition.predict(wrapped, items, n_samples=7, seed=4)
    assert torch.allclose(found, expected, atol=2e-5)


def test_a_calibrated_posterior_ranks_a_pool(posterior, calibration, make_items):
    items = make_items("mlp", 50)
    wrapped = calibrated(posterior, calibration["temperature"]).to("cpu")
    ranked = acquisition.rank_pool(wrapped, items.split(13), keep=5, n_samples=7)
    expected = acquisition.score("bald", acquisition.predict(wrapped, items, n_samples=7))
    assert ranked.indices.tolist() == expected.argsort(descending=True)[:5].tolist()
    plain = acquisition.rank_pool(posterior, items, keep=50, n_samples=7)
    both = acquisition.rank_pool(wrapped, items, keep=50, n_samples=7)
    assert not torch.allclose(plain.scores, both.scores)
    assert wrapped.n_outputs == posterior.n_outputs
    assert wrapped.max_samples == posterior.max_samples
    assert wrapped.state().keys() == posterior.state().keys()
    assert wrapped.embed(items).shape[0] == 50


def test_other_tasks_and_outputs_that_are_probabilities_already_are_refused(calibration, make_model):
    with pytest.raises(acquisition.InvalidInput, match="a posterior of regression"):
        calibrated(Wrong(), calibration["temperature"])
    soft = acquisition.mc_dropout(torch.nn.Sequential(make_model("mlp"), torch.nn.Softmax(-1)))
    with pytest.raises(acquisition.InvalidInput, match="probabilities already"):
        acquisition.predict(calibrated(soft, calibration["temperature"]), torch.randn(4, 6))
