import pytest
import torch
from torch import nn

import acquisition


def factory():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 4))


@pytest.mark.parametrize("name", ["mc_dropout", "ensemble"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x, y: (x[:5], y), r"inputs \[5, 6\] and targets \[60\]"),
        (lambda x, y: (x, y.float()), "mean regression: .* For classes give integer targets"),
        (lambda x, y: (x, y > 1), "found torch.bool of shape"),
        (lambda x, y: (x, y - 1), "found target -1"),
        (lambda x, y: (x, y + 1), "up to class 4, the model has only 4 outputs"),
        (lambda x, y: (x, y[:, None]), r"found torch.int64 of shape \[60, 1\]"),
        (lambda x, y: (x[:0], y[:0]), "no items to train on"),
        (lambda x, y: (x[:, :5], y), r"can not be trained on .* items of shape \[5\]"),
        (lambda x, y: (x.numpy(), y), "inputs as a tensor, found ndarray"),
        (lambda x, y: x, r"pair \(inputs, targets\)"),
    ],
)
def test_bad_training_data_are_refused(name, blobs, change, match):
    with pytest.raises(acquisition.InvalidInput, match=match):
        acquisition.fit(name, factory, change(*blobs), epochs=2)


def test_inputs_without_a_number_are_refused_by_row(blobs):
    inputs = blobs[0].clone()
    inputs[11, 2] = torch.inf
    with pytest.raises(acquisition.NotFinite) as caught:
        acquisition.fit("mc_dropout", factory, (inputs, blobs[1]))
    assert caught.value.rows == (11,)


@pytest.mark.parametrize("name", ["mc_dropout", "ensemble"])
def test_a_training_that_runs_away_is_told(name, blobs):
    with pytest.raises(acquisition.NotFinite, match=r"loss became (nan|inf) in epoch"):
        acquisition.fit(name, factory, (blobs[0] * 1e30, blobs[1]), learning_rate=1e9, epochs=50)


@pytest.mark.parametrize(
    ("last", "match"),
    [
        (nn.Softmax(-1), "probabilities already"),
        (nn.Unflatten(1, (2, 2)), r"outputs of shape \[30, C\]"),
        (nn.LSTM(4, 4), "found tuple"),
    ],
)
def test_a_model_that_is_no_classifier_is_refused(blobs, last, match):
    with pytest.raises(acquisition.InvalidInput, match=match):
        acquisition.fit("mc_dropout", lambda: nn.Sequential(factory(), last), blobs, epochs=1)


def test_a_factory_that_makes_no_module_is_refused(blobs):
    with pytest.raises(acquisition.InvalidInput, match="factory returned int"):
        acquisition.fit("ensemble", lambda: 3, blobs)


def test_a_model_without_dropout_is_refused_before_it_is_trained(blobs):
    calls = []
    with pytest.raises(acquisition.NotStochastic):
        acquisition.fit(
            "mc_dropout", lambda: nn.Linear(6, 4), blobs, progress=lambda *call: calls.append(call)
        )
    assert calls == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"epoch": 3},
            r"'mc_dropout' takes no option 'epoch'. Did you mean 'epochs'\? Known: batch_size, device,",
        ),
        ({"members": 3}, "takes no option 'members'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"device": "gpu0"}, "Device 'gpu0' can not be used here"),
    ],
)
def test_options_are_checked(blobs, options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.fit("mc_dropout", factory, blobs, **options)


def test_no_batch_is_a_leftover_of_one_item(blobs):
    sizes = []

    class Watching(nn.BatchNorm1d):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    def watched():
        return nn.Sequential(nn.Linear(6, 8), Watching(8), nn.Dropout(0.5), nn.Linear(8, 4))

    acquisition.fit("mc_dropout", watched, (blobs[0][:33], blobs[1][:33]), epochs=2)
    assert sorted(set(sizes)) == [16, 17]


def test_few_items_get_enough_steps_and_many_get_enough_epochs():
    from acquisition.training import LEAST_EPOCHS, LEAST_STEPS, Recipe

    recipe = Recipe.of(None, 32, 1e-3, 0.0, "cpu")
    assert recipe.n_epochs(20) == LEAST_STEPS
    assert recipe.n_epochs(100_000) == LEAST_EPOCHS
    assert Recipe.of(3, 32, 1e-3, 0.0, "cpu").n_epochs(20) == 3
