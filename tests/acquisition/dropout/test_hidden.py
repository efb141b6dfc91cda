import pytest
import torch
from torch import nn
from torch.nn import functional

import acquisition


class Functional(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.drop, self.layer, self.call = nn.Dropout(0.5), nn.Linear(3, 2), call

    def forward(self, x):
        return self.layer(self.call(self.drop(x), self.training))


def test_functional_dropout_is_refused_and_not_ignored():
    model = Functional(lambda x, training: functional.dropout(x, 0.3, training))
    posterior = acquisition.mc_dropout(model)
    with pytest.raises(acquisition.NotStochastic, match=r"functional\.dropout \(p=0\.3\)"):
        acquisition.predict(posterior, torch.randn(4, 3))


def test_dropout_inside_fused_attention_is_refused():
    def attend(x, training):
        x = x[:, None, None]
        return functional.scaled_dot_product_attention(x, x, x, dropout_p=0.2 if training else 0)[:, 0, 0]

    with pytest.raises(acquisition.NotStochastic, match="scaled_dot_product_attention"):
        acquisition.predict(acquisition.mc_dropout(Functional(attend)), torch.randn(4, 3))


def test_functional_dropout_that_is_off_is_accepted():
    model = Functional(lambda x, training: functional.dropout(x, 0.0, training))
    assert acquisition.predict(acquisition.mc_dropout(model), torch.randn(4, 3)).shape == (20, 4, 2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(8, 8, num_layers=2, dropout=0.1),
        nn.GRU(8, 8, num_layers=2, dropout=0.1),
    ],
)
def test_dropout_inside_a_layer_is_refused(layer):
    model = nn.ModuleDict({"inner": layer, "drop": nn.Dropout(0.5)})
    with pytest.raises(acquisition.NotStochastic, match="inner"):
        acquisition.mc_dropout(model)


def test_batch_statistics_do_not_stand_in_the_way_of_the_search():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    assert acquisition.predict(acquisition.mc_dropout(model), torch.randn(1, 3)).shape == (20, 1, 2)


def test_items_that_the_model_can_not_take_are_told():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    with pytest.raises(acquisition.InvalidInput, match=r"items of shape \[5\]"):
        acquisition.predict(acquisition.mc_dropout(model), torch.randn(4, 5))
