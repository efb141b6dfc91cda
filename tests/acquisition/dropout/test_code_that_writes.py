"""Users' code that writes into what it is given: the numbers are those of the network as it is written."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

import acquisition
from acquisition.catalog import options_of
from acquisition.dropout.layers import MaskedDropout


class PreActivation(nn.Module):
    """The skip is what the in-place layer has left."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.convolution(self.relu(x)) + x


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)

    def forward(self, x):
        x.sub_(0.5).div_(0.5)
        return self.last(self.drop(torch.relu(self.first(x))))


class Aliased(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.last = nn.Dropout(0.5), nn.Linear(5, 3)

    def forward(self, x):
        y = functional.relu(x, inplace=True)
        return self.last(self.drop(y)) + self.last(x)


class Skipped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)

    def forward(self, x):
        skip = x
        x *= 2
        return self.last(self.drop(torch.relu(self.first(x)))) + skip.sum(1, keepdim=True)


class Normalizing(nn.Module):
    def forward(self, x):
        x.sub_(0.5)
        return x * 2


def images():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), PreActivation(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 3)
    )


CASES = {
    "pre-activation block": (images, (3, 8, 8)),
    "scaled in place": (Scaled, (5,)),
    "an alias of a relu": (Aliased, (5,)),
    "an alias of a product": (Skipped, (5,)),
    "a layer before the dropout": (
        lambda: nn.Sequential(
            Normalizing(), nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 3)
        ),
        (5,),
    ),
}


@pytest.mark.parametrize("zeros_first", [False, True])
@pytest.mark.parametrize("name", list(CASES))
def test_the_mean_network_and_the_pool_stay_as_they_are(name, zeros_first):
    factory, shape = CASES[name]
    model = factory().eval()
    inputs = torch.randn(20, *shape, generator=torch.Generator().manual_seed(1))
    if zeros_first:
        inputs[:2] = 0
    before = inputs.clone()
    expected = model(inputs.clone())
    posterior = acquisition.mc_dropout(model)
    list(acquisition.score_pool(posterior, inputs))
    acquisition.embed(posterior, inputs)
    assert torch.equal(inputs, before)
    # With nothing dropped, the parts that the model was read in are the model itself.
    features = posterior.features(inputs)
    whole = nn.Sequential(*posterior._reading.after)(features.clone())
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-5)
    assert any(
        isinstance(layer, MaskedDropout) for part in posterior._reading.after for layer in part.modules()
    )


@pytest.mark.parametrize("name", list(CASES))
def test_every_chunk_and_every_network_sees_the_same_items(name):
    factory, shape = CASES[name]
    posterior = acquisition.mc_dropout(factory())
    inputs = torch.randn(20, *shape, generator=torch.Generator().manual_seed(1))
    whole = acquisition.predict(posterior, inputs, n_samples=6, seed=2)
    parts = acquisition.predict(posterior, inputs.split(3), n_samples=6, seed=2)
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-5)
    few = acquisition.predict(posterior, inputs, n_samples=2, seed=2)
    torch.testing.assert_close(whole[:2], few, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("factory", [Scaled, lambda: nn.Sequential(nn.SELU(inplace=True), nn.Linear(5, 3))])
def test_members_of_an_ensemble_do_not_share_what_one_of_them_writes(factory):
    members = [factory().eval() for _ in range(3)]
    inputs = torch.randn(6, 5)
    before = inputs.clone()
    found = acquisition.predict(acquisition.ensemble(members), inputs, 3)
    expected = torch.stack([member(before.clone()).log_softmax(-1) for member in members])
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)
    assert torch.equal(inputs, before)


def test_a_network_that_lost_every_unit_of_its_first_mask_gives_what_no_unit_gives():
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    posterior = acquisition.mc_dropout(model)
    inputs = torch.randn(6, 2)
    found = posterior.forward(posterior.draw(200, seed=0), posterior.features(inputs))
    nothing = model(torch.zeros(1, 2))
    lost = sum(bool((network - nothing).abs().max() < 1e-6) for network in found)
    assert 4 <= lost <= 40  # 200 · 0.3² = 18 on average


def test_hooks_and_other_kinds_of_a_last_log_softmax_are_kept():
    plain = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3), nn.LogSoftmax(-1))
    posterior = acquisition.mc_dropout(plain)
    inputs = torch.randn(9, 5)
    expected = acquisition.predict(posterior, inputs, 4)
    plain[-1].register_forward_hook(lambda module, given, output: output / 3)
    hooked = acquisition.predict(acquisition.mc_dropout(plain), inputs, 4)
    torch.testing.assert_close(hooked, (expected / 3).log_softmax(-1), atol=1e-5, rtol=1e-5)


def test_pooling_over_channels_does_not_let_a_mask_of_channels_pass():
    model = nn.Sequential(nn.Dropout1d(0.5), nn.MaxPool2d((2, 1)), nn.Flatten(), nn.Linear(12, 3)).eval()
    posterior = acquisition.mc_dropout(model)
    inputs = torch.randn(6, 4, 6)
    draw = posterior.draw(30, seed=1)
    found = posterior.forward(draw, posterior.features(inputs))
    masks = {tuple(bits) for bits in torch.cartesian_prod(*[torch.tensor([0.0, 2.0])] * 4).tolist()}
    possible = torch.stack([model[1:](inputs * torch.tensor(bits)[None, :, None]) for bits in masks])
    nearest = (found[:, None] - possible[None]).abs().amax((2, 3)).amin(1)
    assert nearest.max() < 1e-5


def test_torch_dropout_below_functional_is_refused():
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop, self.last = nn.Dropout(0.5), nn.Linear(5, 3)

        def forward(self, x):
            return self.last(torch.dropout(self.drop(x), 0.4, self.training))

    with pytest.raises(acquisition.NotStochastic, match="dropout"):
        acquisition.rank_pool(acquisition.mc_dropout(Hidden()), torch.randn(6, 5))


def test_a_model_that_looks_at_the_rest_of_the_batch_is_refused():
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.drop, self.last = nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)

        def forward(self, x):
            hidden = torch.relu(self.first(x))
            return self.last(self.drop(hidden - hidden.mean(0)))

    with pytest.raises(acquisition.InvalidInput, match="in the company of another"):
        acquisition.rank_pool(acquisition.mc_dropout(Centred()), torch.randn(20, 5))


class WritingPair(nn.Module):
    """Writes into its items before its first layer, and ends in a linear one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)

    def forward(self, x):
        x.sub_(0.5)
        return self.last(self.drop(torch.relu(self.first(x))))


@pytest.mark.parametrize("name", sorted(set(acquisition.catalog()["posteriors"])))
def test_no_posterior_changes_the_pool_or_answers_otherwise_the_second_time(name):
    seeded = torch.Generator().manual_seed(1)
    inputs, pool = torch.randn(30, 5, generator=seeded), torch.randn(20, 5, generator=seeded)
    before, learnt_from = pool.clone(), inputs.clone()
    options = {"epochs": 1} if "epochs" in options_of("posteriors", name) else {}
    try:
        posterior = acquisition.fit(name, WritingPair, (inputs, torch.arange(30) % 3), **options)
        first, second = (acquisition.predict(posterior, pool, 3, seed=1) for _ in range(2))
        acquisition.embed(posterior, pool)
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0)
    except acquisition.InvalidInput as refusal:
        # Some cut the network before its last layer, some differentiate it: these may refuse, in words.
        assert re.search(r"last nn\.Linear|in-place operation", str(refusal))  # noqa: PT017
    assert torch.equal(pool, before)
    assert torch.equal(inputs, learnt_from)
