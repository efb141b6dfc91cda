"""T weight sets of one module: every fast way to run them equals explicit copies."""

import copy
import logging

import pytest
import torch
from torch import nn

import acquisition
from acquisition.catalog import notice
from acquisition.heads import Heteroscedastic, Homoscedastic
from acquisition.randomness import generator
from acquisition.tasks import losses
from acquisition.training import Data
from acquisition.weights import weight_samples
from acquisition.weights.flat_weights import Flattened, Layout
from acquisition.weights.stacked_networks import Chain, Looped, Mapped, networks
from acquisition.weights.weight_samples import Gaussian, WeightPosterior

METHODS = ("bayes_by_backprop", "ivon", "sgld", "snapshot_ensemble", "swag")


def posterior_of(module, std=0.2):
    layout = Layout(module)
    mean_P = Flattened(copy.deepcopy(module)).values.clone()
    return WeightPosterior(module, Gaussian(layout, mean_P, torch.full_like(mean_P, std)), "classification")


def copied(posterior, module, draw, items):
    """Computes the outputs by T copies of the module that hold the weights."""
    outputs = []
    for key in draw.state["seeds"].tolist():
        twin = copy.deepcopy(module).eval()
        with torch.no_grad():
            twin.load_state_dict(twin.state_dict() | posterior._sampler.weights(key))
            outputs.append(twin(items))
    return torch.stack(outputs)


def test_every_model_runs_like_copies_with_the_weights(model_name, make_model, make_items):
    module, items = make_model(model_name), make_items(model_name)
    posterior = posterior_of(copy.deepcopy(module))
    draw = posterior.draw(5, seed=3)
    outputs = posterior.forward(draw, items)
    torch.testing.assert_close(outputs, copied(posterior, module, draw, items), atol=1e-5, rtol=1e-5)


CHAINS = {
    "one layer": lambda: nn.Linear(6, 4),
    "many classes": lambda: nn.Sequential(nn.Linear(6, 90)),
    "flattened": lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)),
    "wide": lambda: nn.Sequential(
        nn.Linear(6, 300), nn.ReLU(), nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 4)
    ),
    "no bias": lambda: nn.Sequential(nn.Linear(6, 70, bias=False), nn.GELU(), nn.Linear(70, 4, bias=False)),
    "layer norm": lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 4)),
    "plain norms": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8, elementwise_affine=False), nn.Tanh(),
        nn.Linear(8, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 4),
    ),
    "relu behind a norm": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4), nn.ReLU()
    ),
    "two numbers": lambda: nn.Sequential(nn.Linear(6, 8), nn.SiLU(), Heteroscedastic(8)),
}  # fmt: skip


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_chains_run_as_chains_and_like_copies(chain):
    torch_module = CHAINS[chain]().eval()
    items = torch.randn(600, 6, generator=generator(0))
    posterior = posterior_of(copy.deepcopy(torch_module))
    draw = posterior.draw(7, seed=0)
    outputs = posterior.forward(draw, items)
    assert isinstance(posterior._prepared.run, Chain)
    scale = float(outputs.abs().max())
    torch.testing.assert_close(
        outputs, copied(posterior, torch_module, draw, items), atol=2e-6 * max(scale, 1), rtol=1e-5
    )


NO_CHAINS = {
    "head of two parts": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), Homoscedastic(8)),
    "norm first": lambda: nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4)),
    "statistics of the batch": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 4)
    ),
}


@pytest.mark.parametrize("module", sorted(NO_CHAINS))
def test_what_is_no_chain_for_sure_runs_as_itself(module):
    torch_module = NO_CHAINS[module]().eval()
    items = torch.randn(9, 6, generator=generator(0))
    posterior = posterior_of(copy.deepcopy(torch_module))
    draw = posterior.draw(3, seed=0)
    outputs = posterior.forward(draw, items)
    assert not isinstance(posterior._prepared.run, Chain)
    torch.testing.assert_close(outputs, copied(posterior, torch_module, draw, items), atol=1e-5, rtol=1e-5)


def test_the_ways_for_a_graphics_card_equal_the_loop(make_model, make_items):
    for name in ("residual", "batch_norm", "conv_channels", "in_place_residual"):
        module, items = make_model(name), make_items(name)
        layout = Layout(module)
        vector = torch.randn(4, layout.n_weights, generator=generator(0))
        stacked = layout.views(vector)
        with torch.inference_mode():
            torch.testing.assert_close(
                Mapped(module, stacked)(items), Looped(module, stacked)(items), atol=1e-3, rtol=1e-4
            )


def test_a_draw_that_is_too_large_to_keep_gives_the_same_networks(monkeypatch, blobs):
    posterior = posterior_of(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)))
    draw = posterior.draw(4, seed=0)
    kept = posterior.forward(draw, blobs[0])
    monkeypatch.setattr(weight_samples, "KEPT_BYTES", 1)
    posterior._prepared = None
    streamed = posterior.forward(draw, blobs[0])
    assert not isinstance(posterior._prepared.run, Chain)
    torch.testing.assert_close(streamed, kept, atol=1e-5, rtol=0)


def test_networks_of_a_draw_do_not_depend_on_the_others(blobs):
    posterior = posterior_of(nn.Linear(6, 4))
    draw = posterior.draw(6, seed=0)
    torch.testing.assert_close(
        posterior.forward(draw[2:4], blobs[0]), posterior.forward(draw, blobs[0])[2:4], atol=1e-6, rtol=0
    )


def test_kept_samples_are_drawn_without_repetition(blobs):
    posterior = acquisition.fit(
        "sgld", lambda: nn.Linear(6, 4), blobs, epochs=1, burn_in=0, samples=5, thinning=1
    )
    assert posterior.draw(9, seed=0).state["samples"].tolist() == [0, 1, 2, 3, 4]
    some = posterior.draw(3, seed=1).state["samples"].tolist()
    assert len(set(some)) == 3


def test_a_vector_of_weights_and_its_parts_are_each_other(make_model, model_name):
    module = make_model(model_name)
    layout = Layout(module)
    parameters = dict(module.named_parameters())
    vector = layout.vector(parameters)
    assert vector.shape == (layout.n_weights,)
    assert all(torch.equal(part, parameters[name]) for name, part in layout.views(vector).items())


def test_a_flattened_module_has_the_gradient_of_the_ordinary_one(blobs):
    inputs, targets = blobs
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    ordinary = copy.deepcopy(module)
    losses("classification", ordinary(inputs[:20]), targets[:20]).mean().backward()
    flattened = Flattened(module)
    for _ in range(2):  # a second time, because gradients are added up in place
        flattened.gradient(Data(inputs, targets, "classification"), torch.arange(20))
    expected = torch.cat([p.grad.flatten() for p in ordinary.parameters()])
    torch.testing.assert_close(flattened.gradients, expected)
    flattened.values.zero_()
    assert all((p == 0).all() for p in module.parameters())


def test_frozen_parameters_stay_and_are_saved(blobs):
    def frozen():
        module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
        module[0].requires_grad_(False)
        return module

    for name in METHODS:
        posterior = acquisition.fit(name, frozen, blobs, epochs=2)
        restored = acquisition.restore(name, frozen, posterior.state())
        assert torch.equal(acquisition.predict(posterior, blobs[0]), acquisition.predict(restored, blobs[0]))
        if name != "snapshot_ensemble":
            assert "mean.0.weight" not in posterior.state()
            assert "shared.0.weight" in posterior.state()


def test_a_module_without_weights_to_learn_is_refused(blobs):
    with pytest.raises(acquisition.InvalidInput, match="no trainable parameters"):
        acquisition.fit("bayes_by_backprop", nn.Identity, blobs)


@pytest.mark.parametrize("name", METHODS)
def test_several_labels_and_numbers_are_learnt(name, blobs):
    inputs, targets = blobs
    several = torch.stack([(targets == c) | (targets == 3) for c in range(3)], 1).long()
    labels = acquisition.fit(name, lambda: nn.Linear(6, 3), (inputs, several), learning_rate=0.02, epochs=150)
    likely = acquisition.predict(labels, inputs)[..., 1].exp().mean(0) > 0.5
    assert (likely == several).float().mean() > 0.9
    numbers = inputs @ torch.tensor([1.0, 0.5, 0, 0, 0, -1])
    regression = acquisition.fit(
        name, lambda: nn.Linear(6, 2), (inputs, numbers), learning_rate=0.02, epochs=150
    )
    means = acquisition.predict(regression, inputs).means_T_N.mean(0)
    assert float(torch.corrcoef(torch.stack([means, numbers]))[0, 1]) > 0.9
    restored = acquisition.restore(name, lambda: nn.Linear(6, 2), regression.state(), task="regression")
    assert torch.equal(acquisition.predict(restored, inputs).means_T_N.mean(0), means)


def test_methods_that_need_tuning_say_so_once(caplog, blobs):
    from acquisition.fitting import _notify

    _notify.cache_clear()
    with caplog.at_level(logging.INFO, "acquisition"):
        for _ in range(2):
            acquisition.fit("ivon", lambda: nn.Linear(6, 4), blobs, epochs=1)
            acquisition.fit("ensemble", lambda: nn.Linear(6, 4), blobs, epochs=1)
    said = [record.getMessage() for record in caplog.records if record.name == "acquisition"]
    assert said == [f"ivon: {notice('ivon')}"]
    for name in ("bayes_by_backprop", "ivon", "sgld"):
        assert "cold posterior" in notice(name)
    assert notice("swag").startswith("needs tuning")
    assert notice("ensemble") is None


def test_the_choice_of_a_way_follows_the_items():
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    stacked = Layout(module).views(torch.zeros(2, Layout(module).n_weights))
    assert isinstance(networks(module, stacked, torch.zeros(3, 6)), Chain)
    assert isinstance(networks(module, stacked, torch.zeros(3, 7, 6)), Looped)
