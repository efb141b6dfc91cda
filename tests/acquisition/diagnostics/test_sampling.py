import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import acquisition
from acquisition.diagnostics import check_sampling
from acquisition.types import Draw


class Plain:
    """A posterior of a linear map with noise in its weights; subclasses break one thing each."""

    task = "classification"
    n_outputs = 3
    max_samples = None
    device = torch.device("cpu")

    def features(self, inputs):
        return inputs

    def draw(self, n_samples, *, seed):
        noise = torch.randn(n_samples, 6, 3, generator=torch.Generator().manual_seed(seed))
        return Draw(state={"weights": noise})

    def forward(self, draw, features):
        return features @ draw.state["weights"]


class NoWidth(Plain):
    def draw(self, n_samples, *, seed):
        return replace(super().draw(n_samples, seed=seed), state={"weights": torch.ones(n_samples, 6, 3)})


class SeedUnused(Plain):
    def draw(self, n_samples, *, seed):
        return super().draw(n_samples, seed=0)


class NoisePerCall(Plain):
    calls = 0

    def draw(self, n_samples, *, seed):
        self.calls += 1
        return super().draw(n_samples, seed=seed + 1000 * self.calls)


class BatchStatistics(Plain):
    def forward(self, draw, features):
        return super().forward(draw, features - features.mean(0))


class NoisePerRow(Plain):
    def forward(self, draw, features):
        noise = torch.rand(len(features), 1, generator=torch.Generator().manual_seed(len(features)))
        return super().forward(draw, features) * noise


class GlobalState(Plain):
    def forward(self, draw, features):
        torch.rand(1)
        random.random()
        return super().forward(draw, features)


class NumpyState(Plain):
    def forward(self, draw, features):
        np.random.rand()  # noqa: NPY002
        return super().forward(draw, features)


class FlipsMode(Plain):
    def __init__(self):
        self.model = nn.Linear(6, 3).eval()

    def forward(self, draw, features):
        self.model.train()
        return super().forward(draw, features)


@pytest.fixture(scope="module")
def items():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


def test_a_sound_posterior_is_measured(items):
    found = check_sampling(Plain(), items)
    assert (found.n_samples, found.n_different, found.n_items) == (8, 8, 20)
    logits = Plain().forward(Plain().draw(8, seed=0), items)
    probs = logits.softmax(-1)
    assert found.disagreement == pytest.approx((probs.amax(0) - probs.amin(0)).max().item(), abs=1e-6)
    assert found.disagreeing_share == 1
    assert found.repeat_difference == 0
    assert found.seed_difference > 0.01
    assert found.slice_difference <= 1e-5
    assert found.duplicate_difference <= 1e-5


def test_every_dropout_model_and_an_ensemble_pass(model_name, make_model, make_items):
    posterior = acquisition.mc_dropout(make_model(model_name))
    assert check_sampling(posterior, make_items(model_name, 11)).disagreement > 0


def test_an_ensemble_passes_without_a_second_seed(make_model, items):
    members = [make_model("mlp", seed) for seed in range(3)]
    found = check_sampling(acquisition.ensemble(members), items, model=members[0])
    assert (found.n_samples, found.n_different, found.seed_difference) == (3, 3, None)


@pytest.mark.parametrize(
    ("posterior", "error", "match"),
    [
        (NoWidth, acquisition.NotStochastic, "the sampling does nothing"),
        (SeedUnused, acquisition.InvalidInput, "the seed is not used"),
        (NoisePerCall, acquisition.InvalidInput, "same seed gives other predictions"),
        (BatchStatistics, acquisition.InvalidInput, "depends on its batch"),
        (NoisePerRow, acquisition.InvalidInput, "copies of an item"),
        (GlobalState, acquisition.InvalidInput, "torch's global random state and the global random state of"),
        (NumpyState, acquisition.InvalidInput, "changed the global random state of numpy or Python"),
        (FlipsMode, acquisition.InvalidInput, "the training flags"),
    ],
)
def test_a_broken_posterior_fails_loudly(posterior, error, match, items):
    with pytest.raises(error, match=match):
        check_sampling(posterior(), items)


def test_one_sample_and_no_items_are_refused(items):
    with pytest.raises(acquisition.NotStochastic, match="this is one network"):
        check_sampling(Plain(), items, n_samples=1)
    with pytest.raises(acquisition.InvalidInput, match="no items"):
        check_sampling(Plain(), items[:0])
