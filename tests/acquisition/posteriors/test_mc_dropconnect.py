import copy

import pytest
import torch
from torch import nn

import acquisition
from acquisition.posteriors.mc_dropconnect import MaskedWeight, mc_dropconnect

NAMES = [
    "mlp",
    "deep_mlp",
    "conv_channels",
    "blocks",
    "functional_lenet",
    "residual",
    "encoder",
    "batch_norm",
]


def copies_with_fewer_weights(model, posterior, draw, inputs):
    """T copies of the user's model whose weight tensors are multiplied by hand."""
    posterior.forward(draw, posterior.features(inputs))
    noise = posterior._prepared.engine.noise
    names = [name for name, layer in posterior._model.named_modules() if isinstance(layer, MaskedWeight)]
    outputs = []
    for t in range(len(draw)):
        twin = copy.deepcopy(model).eval()
        for name in names:
            layer = twin.get_submodule(name.removesuffix(".noise"))
            number = posterior._model.get_submodule(name).number
            with torch.no_grad():
                layer.weight *= next(n for key, n in noise.items() if key.layer == number).factor[t]
        with torch.no_grad():
            outputs.append(twin(inputs))
    return torch.stack(outputs)


@pytest.mark.parametrize("layers", ["linear", "all"])
@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_a_copy_with_fewer_weights(make_model, make_items, name, layers):
    model, inputs = make_model(name), make_items(name, 9)
    posterior = mc_dropconnect(model, 0.3, layers)
    draw = posterior.draw(4, seed=2)
    found = posterior.forward(draw, posterior.features(inputs))
    expected = copies_with_fewer_weights(model, posterior, draw, inputs)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found.std(0) > 1e-4).any()


def test_weights_are_dropped_at_the_rate_and_their_mean_stays():
    model = nn.Sequential(nn.Linear(500, 2, bias=False))
    nn.init.ones_(model[0].weight)
    posterior = mc_dropconnect(model, 0.25)
    logits = posterior.forward(posterior.draw(2000, seed=0), torch.eye(500)[:40])
    assert (logits == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert logits.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_of_the_model_itself_is_off_when_it_is_sampled():
    encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
    posterior = mc_dropconnect(nn.Sequential(encoder, nn.Flatten(), nn.Linear(24, 4)))
    inputs = torch.ones(1, 3, 8).repeat(6, 1, 1)
    first, again = (acquisition.predict(posterior, inputs) for _ in range(2))
    assert torch.equal(first, again)
    assert (first - first[:, :1]).abs().max() < 1e-6


def test_the_users_model_and_the_random_state_stay(make_model, make_items):
    model = make_model("deep_mlp").train()
    before, kinds = copy.deepcopy(model.state_dict()), [type(layer) for layer in model.modules()]
    state = torch.get_rng_state()
    acquisition.rank_pool(mc_dropconnect(model), make_items("deep_mlp"))
    assert torch.equal(state, torch.get_rng_state())
    assert [type(layer) for layer in model.modules()] == kinds
    assert all(layer.training for layer in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_training_meets_dropped_weights_and_options_survive_saving(blobs):
    def factory():
        return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))

    fitted = [
        acquisition.fit("mc_dropconnect", factory, blobs, epochs=3, p=p, layers="all").state()["0.weight"]
        for p in (0.1, 0.6)
    ]
    assert not torch.equal(*fitted)
    posterior = acquisition.fit("mc_dropconnect", factory, blobs, epochs=3, p=0.15, layers="all")
    restored = acquisition.restore("mc_dropconnect", factory, posterior.state())
    assert torch.equal(acquisition.predict(restored, blobs[0]), acquisition.predict(posterior, blobs[0]))
    with pytest.raises(acquisition.InvalidInput, match="has no 'mc_dropconnect'"):
        acquisition.restore("mc_dropconnect", factory, factory().state_dict())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"p": 0.0}, "p is 0.0"),
        ({"p": 1.0}, "p is 1.0"),
        ({"layers": "dense"}, "layers is 'dense'; one of linear, convolution, all"),
    ],
)
def test_wrong_options_are_refused(make_model, options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        mc_dropconnect(make_model("mlp"), **options)
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.fit("mc_dropconnect", nn.Module, (torch.ones(2, 2), torch.ones(2).long()), **options)


def test_a_model_without_such_layers_is_refused(make_model):
    with pytest.raises(acquisition.NotStochastic, match="no layer of the kind 'convolution'"):
        mc_dropconnect(make_model("mlp"), layers="convolution")
    with pytest.raises(acquisition.InvalidInput, match="found str"):
        mc_dropconnect("model")


def test_a_layer_with_hooks_is_refused_and_not_left_as_it_is():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model[0].register_forward_hook(lambda module, given, output: output * 2)
    with pytest.raises(acquisition.NotStochastic, match="has hooks"):
        acquisition.mc_dropconnect(model)
