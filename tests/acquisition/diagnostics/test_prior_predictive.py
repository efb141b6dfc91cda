import pytest
import torch
from torch import nn

import acquisition
from acquisition.diagnostics import prior_predictive


def network():
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))


def inputs(scale=1.0, shift=0.0):
    return shift + scale * torch.randn(200, 6, generator=torch.Generator().manual_seed(0))


def test_networks_of_well_scaled_inputs_are_healthy():
    found = prior_predictive(network, inputs())
    assert found.healthy, found.verdict
    assert sum(found.class_shares) == pytest.approx(1)
    assert found.mean_entropy_share > 0.8
    assert found.saturated_share == 0
    assert 0 < found.mutual_information < 1.1
    assert (found.n_samples, found.n_items) == (20, 200)


def test_inputs_of_a_wrong_scale_saturate_untrained_networks():
    found = prior_predictive(network, inputs(scale=500))
    assert not found.healthy
    assert "scale the inputs" in found.verdict
    assert found.saturated_share > 0.9
    assert found.mean_entropy_share < 0.1


def test_inputs_far_from_zero_look_alike():
    found = prior_predictive(network, inputs(shift=30.0))
    assert found.one_class_share > 0.95
    assert "they look alike" in found.verdict


def test_a_bias_that_is_no_accident_is_found():
    def biased():
        module = network()
        with torch.no_grad():
            module[-1].bias += torch.tensor([0.0, 0.0, 2.0])
        return module

    found = prior_predictive(biased, inputs())
    assert found.class_shares[2] > 0.9
    assert "favour one class" in found.verdict


def test_the_numbers_are_those_of_networks_made_one_by_one():
    modules = []

    def kept():
        modules.append(network())
        return modules[-1]

    found = prior_predictive(kept, inputs(), n_samples=4)
    probs = torch.stack([module.eval()(inputs()).softmax(-1) for module in modules]).detach().double()
    entropies = -(probs * probs.log()).sum(-1)
    assert found.mean_entropy_share == pytest.approx(
        entropies.mean().item() / torch.tensor(3.0).log().item(), abs=1e-5
    )
    counts = probs.argmax(-1).flatten().bincount(minlength=3).double()
    assert found.class_shares == pytest.approx((counts / counts.sum()).tolist())


def test_the_seed_decides_and_the_global_state_stays():
    before = torch.get_rng_state()
    first = prior_predictive(network, inputs(), seed=1)
    assert first == prior_predictive(network, inputs(), seed=1)
    assert first != prior_predictive(network, inputs(), seed=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_items_nan_and_models_of_other_things_are_refused():
    with pytest.raises(acquisition.InvalidInput, match="no items"):
        prior_predictive(network, torch.zeros(0, 6))
    broken = inputs()
    broken[3, 1] = torch.nan
    with pytest.raises(acquisition.NotFinite, match="rows: 3"):
        prior_predictive(network, broken)
    with pytest.raises(acquisition.InvalidInput, match="probabilities already"):
        prior_predictive(lambda: nn.Sequential(network(), nn.Softmax(-1)), inputs())
    with pytest.raises(acquisition.InvalidInput, match="at least two class scores"):
        prior_predictive(lambda: nn.Linear(6, 1), inputs())
    with pytest.raises(acquisition.InvalidInput, match="can not take items"):
        prior_predictive(lambda: nn.Linear(5, 2), inputs())
