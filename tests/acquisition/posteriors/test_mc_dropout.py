import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import acquisition
from acquisition.posteriors.mapped import Mapped
from acquisition.posteriors.one_product import OneProduct
from acquisition.posteriors.thinned import Thinned

ENGINES = {
    "conv_channels": Thinned,
    "conv_elements": Thinned,
    "deep_mlp": Thinned,
    "dropout_first": OneProduct,
    "mlp": OneProduct,
    "signal": OneProduct,
    "volume": OneProduct,
}


def test_every_path_equals_explicit_copies_with_the_same_masks(model_name, make_model, make_items, copies):
    model, inputs = make_model(model_name), make_items(model_name)
    posterior = acquisition.mc_dropout(model)
    draw = posterior.draw(6, seed=5)
    found = posterior.forward(draw, posterior.features(inputs))
    expected = copies(model, draw.state["seeds"], inputs)
    assert found.shape == (6, len(inputs), 4)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found.std(0) > 1e-4).any()


def test_known_chains_take_their_fast_path(model_name, make_model, make_items):
    posterior = acquisition.mc_dropout(make_model(model_name))
    draw = posterior.draw(2, seed=0)
    features = posterior.features(make_items(model_name))
    assert type(posterior._prepare(draw, features)) is ENGINES.get(model_name, Mapped)


def test_the_general_path_equals_the_fast_ones_for_known_chains(make_model, make_items, monkeypatch):
    inputs = make_items("conv_channels")
    fast = acquisition.predict(acquisition.mc_dropout(make_model("conv_channels")), inputs)
    monkeypatch.setattr("acquisition.posteriors.mc_dropout._fastest", lambda *chain: None)
    general = acquisition.predict(acquisition.mc_dropout(make_model("conv_channels")), inputs)
    torch.testing.assert_close(fast, general, atol=1e-5, rtol=0)


def test_a_slice_of_a_draw_is_the_draw_of_those_networks(model_name, make_model, make_items):
    posterior = acquisition.mc_dropout(make_model(model_name))
    features = posterior.features(make_items(model_name))
    whole = posterior.draw(7, seed=2)
    part = posterior.forward(whole[2:5], features)
    torch.testing.assert_close(part, posterior.forward(whole, features)[2:5], atol=1e-6, rtol=0)
    assert torch.equal(posterior.draw(4, seed=2).state["seeds"], whole[:4].state["seeds"])
    assert len(whole[2:5]) == 3


def test_masks_have_the_mean_and_rate_of_their_layer():
    posterior = acquisition.mc_dropout(nn.Sequential(nn.Dropout(0.3), nn.Linear(2000, 2)))
    with torch.no_grad():
        posterior._suffix[1].weight.copy_(torch.eye(2, 2000))
    draw = posterior.draw(2000, seed=1)
    items = torch.ones(1, 2000)
    first = posterior.forward(draw, items)[:, 0, 0] - posterior._suffix[1].bias[0]
    assert first.mean().item() == pytest.approx(1, abs=0.05)
    assert (first == 0).float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_equal_items_of_one_batch_meet_equal_masks(make_model, make_items):
    posterior = acquisition.mc_dropout(make_model("residual"))
    inputs = make_items("residual", 1).repeat(9, 1)
    log_probs_T_N_C = acquisition.predict(posterior, inputs)
    assert (log_probs_T_N_C - log_probs_T_N_C[:, :1]).abs().max() < 1e-6


def test_the_users_model_and_the_global_random_state_stay_as_they_were(model_name, make_model, make_items):
    model = make_model(model_name).train()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    kinds = [type(module) for module in model.modules()]
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    inputs = make_items(model_name)
    kept = inputs.clone()
    posterior = acquisition.mc_dropout(model)
    acquisition.rank_pool(posterior, inputs)
    assert [module.training for module in model.modules()] == modes
    assert [type(module) for module in model.modules()] == kinds
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(inputs, kept)


def test_a_posterior_is_a_snapshot_of_the_model(make_model, make_items):
    model = make_model("mlp")
    posterior = acquisition.mc_dropout(model)
    before = acquisition.predict(posterior, make_items("mlp"))
    nn.init.zeros_(model[0].weight)
    assert torch.equal(acquisition.predict(posterior, make_items("mlp")), before)


def test_a_layer_that_hangs_in_two_places_is_one_layer_with_two_sites(make_items):
    class TwoNames(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)
            self.again = self.drop
            self.layer = nn.Linear(6, 2)

        def forward(self, x):
            return self.layer(self.again(self.drop(x) + 1))

    model = TwoNames()
    posterior = acquisition.mc_dropout(model)
    draw = posterior.draw(3, seed=0)
    inputs = make_items("mlp")
    logits = posterior.forward(draw, posterior.features(inputs))
    noise = posterior._engine(draw, inputs).noise
    first, second = (noise[key].factor[:, None] for key in sorted(noise))
    torch.testing.assert_close(logits, model.layer((inputs * first + 1) * second), atol=1e-6, rtol=0)


def test_longer_items_get_masks_of_their_own_shape(make_model):
    posterior = acquisition.mc_dropout(make_model("encoder"))
    short, long = torch.randn(4, 3, 8), torch.randn(4, 5, 8)
    log_probs = [chunk for batch in ([short, long], [long, short]) for chunk in _scores(posterior, batch)]
    assert torch.equal(log_probs[0], log_probs[3])
    assert torch.equal(log_probs[1], log_probs[2])


def _scores(posterior, batches):
    return [chunk.scores_N for chunk in acquisition.score_pool(posterior, batches)]


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(3, 2),
        nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.0), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Dropout(1.0), nn.Linear(4, 2)),
    ],
)
def test_a_model_without_active_dropout_is_refused(model):
    with pytest.raises(acquisition.NotStochastic, match=r"Add an nn\.Dropout .* \"ensemble\""):
        acquisition.mc_dropout(model)


def test_something_that_is_no_module_is_refused():
    with pytest.raises(acquisition.InvalidInput, match="found str"):
        acquisition.mc_dropout("model")


def test_dropout_that_is_never_called_is_refused():
    class Forgotten(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.drop = nn.Dropout(0.5)

    with pytest.raises(acquisition.NotStochastic, match="never calls them"):
        acquisition.predict(acquisition.mc_dropout(Forgotten()), torch.randn(2, 3))


def test_dropout_of_an_unknown_kind_is_refused():
    class Own(nn.Dropout):
        def forward(self, x):
            return functional.dropout(x, self.p, self.training) * 2

    with pytest.raises(acquisition.NotStochastic, match="Own is a dropout layer of an unknown kind"):
        acquisition.mc_dropout(nn.Sequential(Own(), nn.Linear(3, 2)))


def test_a_sequence_first_model_is_refused_because_its_rows_are_no_items():
    class SequenceFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.head = nn.Dropout(0.5), nn.Linear(8, 4)

        def forward(self, x):
            return self.head(self.drop(x.transpose(0, 1)).mean(0))

    with pytest.raises(acquisition.InvalidInput, match="first dimension has to count the items"):
        acquisition.predict(acquisition.mc_dropout(SequenceFirst()), torch.randn(4, 3, 8))


def test_moving_to_the_same_device_changes_nothing(make_model):
    posterior = acquisition.mc_dropout(make_model("mlp"))
    assert posterior.to("cpu") is posterior
    assert posterior.device == torch.device("cpu")
    assert posterior.to("meta").device == torch.device("meta")


def test_the_number_of_outputs_is_known_or_learnt(make_model, make_items):
    assert acquisition.mc_dropout(make_model("mlp")).n_outputs == 4
    posterior = acquisition.mc_dropout(make_model("residual"))
    assert posterior.n_outputs is None
    acquisition.predict(posterior, make_items("residual"))
    assert posterior.n_outputs == 4


def test_posteriors_can_score_in_several_threads(make_model, make_items):
    from concurrent.futures import ThreadPoolExecutor

    posterior = acquisition.mc_dropout(make_model("residual"))
    inputs = make_items("residual", 200)
    expected = acquisition.predict(posterior, inputs, seed=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: acquisition.predict(posterior, inputs, seed=1), range(8)))
    assert all(torch.equal(log_probs, expected) for log_probs in found)


def test_importing_baal_leaves_the_logging_of_the_process_alone(make_model):
    import structlog

    structlog.reset_defaults()
    acquisition.mc_dropout(make_model("mlp"))
    assert not structlog.is_configured()
