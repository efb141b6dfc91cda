import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import acquisition
from acquisition.dropout.layers import MaskedDropout
from acquisition.dropout.mapped import Mapped
from acquisition.dropout.one_product import OneProduct
from acquisition.dropout.thinned import Thinned
from acquisition.posteriors.mc_dropout import Normalized
from acquisition.randomness import forked

ENGINES = {
    "conv_channels": Thinned,
    "conv_elements": Thinned,
    "deep_mlp": Thinned,
    "dropout_first": OneProduct,
    "functional_head": Normalized,
    "functional_lenet": Thinned,
    "little_dropped": Thinned,
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


@pytest.mark.parametrize("name", ["residual", "blocks"])
def test_what_no_dropout_reaches_runs_once_per_item(make_model, make_items, name):
    posterior = acquisition.mc_dropout(make_model(name))
    draw, inputs = posterior.draw(9, seed=0), make_items(name)
    posterior.forward(draw, posterior.features(inputs))
    first = posterior._model.enter
    assert not any(isinstance(layer, MaskedDropout) for layer in first.modules())
    calls = []
    for layer in {*posterior._model.modules(), *posterior._reading.after[0].modules()}:
        layer.register_forward_hook(lambda layer, *_: calls.append(layer))
    posterior.forward(draw, posterior.features(inputs))
    assert calls.count(first) <= 1
    assert calls.count(posterior._model.leave) == 9


class Branching(nn.Module):
    """Code that can not be followed without values."""

    def __init__(self):
        super().__init__()
        self.enter, self.drop, self.leave = nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 4)

    def forward(self, x):
        x = self.enter(x)
        if float(x.sum()) > 1e9:
            return x
        return self.leave(self.drop(x))


class Counting(nn.Module):
    """Code whose graph is not the code: it does something else each time."""

    def __init__(self):
        super().__init__()
        self.enter, self.drop, self.leave = nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 4)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        x = self.enter(x) * (1 if self.calls > 1 else 5)
        return self.leave(self.drop(torch.relu(x)))


class WritesIntoItsInput(nn.Module):
    """Adds to what it was given."""

    def __init__(self):
        super().__init__()
        self.drop, self.leave = nn.Dropout(0.5), nn.Linear(8, 4)

    def forward(self, x):
        x += self.drop(torch.ones_like(x))
        return self.leave(x)


@pytest.mark.parametrize("module", [Branching, lambda: nn.Sequential(nn.Linear(6, 8), WritesIntoItsInput())])
def test_code_that_can_not_be_followed_gives_the_same_as_copies(module, make_items, copies):
    with forked(0):
        model, inputs = module().eval(), make_items("mlp")
    posterior = acquisition.mc_dropout(model)
    draw = posterior.draw(5, seed=2)
    found = posterior.forward(draw, posterior.features(inputs))
    assert type(posterior._engine(draw, posterior.features(inputs))) is Mapped
    torch.testing.assert_close(found, copies(model, draw.state["seeds"], inputs), atol=1e-5, rtol=0)


def test_a_model_that_answers_otherwise_each_time_is_refused(make_items):
    posterior = acquisition.mc_dropout(Counting().eval())
    with pytest.raises(acquisition.InvalidInput, match="in the company of another"):
        posterior.features(make_items("mlp"))


@pytest.mark.parametrize("name", ["mlp", "deep_mlp", "conv_elements", "functional_lenet", "blocks"])
def test_no_item_one_item_and_items_with_gaps_in_memory(make_model, make_items, copies, name):
    model, inputs = make_model(name), make_items(name, 6)
    posterior = acquisition.mc_dropout(model)
    assert list(acquisition.score_pool(posterior, inputs[:0])) == []
    draw = posterior.draw(3, seed=1)
    expected = copies(model, draw.state["seeds"], inputs)
    one = posterior.forward(draw, posterior.features(inputs[:1]))
    torch.testing.assert_close(one, expected[:, :1], atol=1e-5, rtol=0)
    gaps = torch.stack([inputs, inputs * 7], -1)[..., 0].transpose(0, -1).contiguous().transpose(0, -1)
    assert not gaps.is_contiguous()
    found = posterior.forward(draw, posterior.features(gaps))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_thousand_classes(make_items, copies):
    with forked(0):
        model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 1000))
    inputs = make_items("mlp", 70)
    posterior = acquisition.mc_dropout(model)
    draw = posterior.draw(20, seed=1)
    log_probs = copies(model, draw.state["seeds"], inputs).log_softmax(-1)
    ranked = acquisition.rank_pool(posterior, inputs, seed=1, keep=70)
    expected = acquisition.score("bald", log_probs)
    torch.testing.assert_close(ranked.scores, expected[ranked.indices], atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64])
def test_models_of_other_precision_are_computed_in_it(make_model, make_items, copies, precision):
    model = make_model("conv_channels").to(precision)
    inputs = make_items("conv_channels").to(precision)
    posterior = acquisition.mc_dropout(model)
    draw = posterior.draw(4, seed=2)
    found = posterior.forward(draw, posterior.features(inputs))
    assert found.dtype == precision
    expected = copies(make_model("conv_channels").double(), draw.state["seeds"], inputs.double())
    atol = 1e-5 if precision == torch.float64 else 0.05
    torch.testing.assert_close(found.double(), expected, atol=atol, rtol=0)


def test_items_of_a_precision_that_the_model_has_not_are_refused(make_model, make_items):
    posterior = acquisition.mc_dropout(make_model("mlp"))
    with pytest.raises(acquisition.InvalidInput, match=r"type torch\.float16"):
        acquisition.rank_pool(posterior, make_items("mlp").half())


def test_masks_have_the_mean_and_rate_of_their_layer():
    posterior = acquisition.mc_dropout(nn.Sequential(nn.Dropout(0.3), nn.Linear(2000, 2)))
    with torch.no_grad():
        posterior._reading.after[1].weight.copy_(torch.eye(2, 2000))
    draw = posterior.draw(2000, seed=1)
    items = torch.ones(1, 2000)
    first = posterior.forward(draw, items)[:, 0, 0] - posterior._reading.after[1].bias[0]
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


def test_threads_that_start_together_read_the_model_once(make_model, make_items):
    from concurrent.futures import ThreadPoolExecutor

    expected = acquisition.predict(acquisition.mc_dropout(make_model("blocks")), make_items("blocks", 40))
    for _ in range(3):
        posterior = acquisition.mc_dropout(make_model("blocks"))
        with ThreadPoolExecutor(6) as pool:
            found = list(
                pool.map(lambda _, p=posterior: acquisition.predict(p, make_items("blocks", 40)), range(6))
            )
        assert all((log_probs - expected).abs().max() < 1e-5 for log_probs in found)


def test_importing_baal_leaves_the_logging_of_the_process_alone(make_model):
    import structlog

    structlog.reset_defaults()
    acquisition.mc_dropout(make_model("mlp"))
    assert not structlog.is_configured()
