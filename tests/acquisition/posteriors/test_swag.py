"""SWAG against the moments that it is to have."""

import copy

import pytest
import torch
from torch import nn

import acquisition
from acquisition.posteriors.swag import LowRank, Moments
from acquisition.randomness import generator
from acquisition.weights.flat_weights import Layout

RANK = 6


@pytest.fixture
def path():
    """Thirty weights of length 8 that wander, offset so far that differences of squares would lose digits."""
    source = generator(0)
    return 100 + torch.randn(30, 8, generator=source).cumsum(0)


def _moments(path):
    moments = Moments.of_nothing(path[0])
    for weights in path:
        moments = moments.seen(weights, RANK)
    return moments


def test_the_mean_is_the_average_of_the_path(path):
    torch.testing.assert_close(_moments(path).mean_P, path.mean(0), atol=1e-3, rtol=0)


def test_the_diagonal_is_the_variance_of_the_path(path):
    exact = path.double().var(0, correction=0).float()
    torch.testing.assert_close(_moments(path).variance_P, exact, rtol=1e-2, atol=0)


def test_the_deviations_are_the_last_ones_from_the_average_at_their_time(path):
    expected = torch.stack([path[n] - path[: n + 1].mean(0) for n in range(30 - RANK, 30)])
    torch.testing.assert_close(_moments(path).deviations_K_P, expected, atol=1e-3, rtol=0)


def test_samples_have_the_covariance_of_the_paper():
    source = generator(1)
    layout = Layout(nn.Linear(3, 2))
    mean_P, variance_P = torch.randn(8, generator=source), torch.rand(8, generator=source)
    deviations_K_P = torch.randn(RANK, 8, generator=source)
    sampler = LowRank(layout, mean_P, variance_P, deviations_K_P)
    drawn = torch.stack([layout.vector(sampler.weights(key)) for key in range(40_000)]).double()
    expected = 0.5 * (variance_P.diag() + deviations_K_P.T @ deviations_K_P / (RANK - 1)).double()
    found = torch.cov(drawn.T)
    assert float((found - expected).norm() / expected.norm()) < 0.02
    torch.testing.assert_close(drawn.mean(0), mean_P.double(), atol=0.03, rtol=0)


def normalised():
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 4))


@pytest.fixture(scope="module")
def fitted(blobs):
    return acquisition.fit("swag", normalised, blobs, epochs=20, collected=5)


def test_a_drawn_network_has_the_batch_statistics_that_its_weights_make(fitted, blobs):
    """Recomputed by torch's own update of the statistics, from the items in the state."""
    from torch.optim.swa_utils import update_bn

    weights = fitted._sampler.weights(7)
    module = normalised()
    module.load_state_dict({name: weights[name] for name in module.state_dict()})
    again = copy.deepcopy(module)
    update_bn([fitted.state()["items"]], again[:2])
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(again[1], name), weights[f"1.{name}"], atol=1e-5, rtol=1e-4)
    hidden = again[0](blobs[0])
    order = fitted.state()["items"]
    assert sorted(order.sum(1).tolist()) == sorted(blobs[0].sum(1).tolist())  # all 60 items, some order
    torch.testing.assert_close(weights["1.running_mean"], hidden.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(weights["1.running_var"], hidden.var(0), atol=1e-5, rtol=1e-4)


def test_the_forward_pass_uses_them(fitted, blobs):
    draw = fitted.draw(3, seed=1)
    outputs = fitted.forward(draw, blobs[0])
    for t, key in enumerate(draw.state["seeds"].tolist()):
        module = normalised().eval()
        module.load_state_dict(fitted._sampler.weights(key))
        torch.testing.assert_close(outputs[t], module(blobs[0]), atol=1e-5, rtol=0)


def test_items_are_kept_only_for_batch_statistics_and_only_so_many(blobs):
    plain = acquisition.fit("swag", lambda: nn.Linear(6, 4), blobs, epochs=1, collected=2)
    assert "items" not in plain.state()
    inputs, targets = blobs[0].repeat(30, 1), blobs[1].repeat(30)
    large = acquisition.fit("swag", normalised, (inputs, targets), epochs=1, collected=2, batch_size=512)
    assert large.state()["items"].shape == (1024, 6)


def test_a_restored_posterior_with_batch_statistics_scores_alike(fitted, blobs):
    restored = acquisition.restore("swag", normalised, fitted.state())
    assert torch.equal(acquisition.predict(restored, blobs[0]), acquisition.predict(fitted, blobs[0]))


def test_a_larger_rate_spreads_the_samples(blobs):
    def spread(rate):
        posterior = acquisition.fit("swag", lambda: nn.Linear(6, 4), blobs, swag_learning_rate=rate)
        return float(posterior.state()["variance.weight"].mean())

    assert spread(1e-1) > 3 * spread(1e-3)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"collected": 1}, "collected is 1; a whole number of at least 2"),
        ({"rank": 1}, "rank is 1; a whole number of at least 2"),
        ({"swag_learning_rate": 0.0}, "swag_learning_rate is 0.0; a number above 0"),
    ],
)
def test_options_outside_their_range_are_refused(options, match, blobs):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.fit("swag", lambda: nn.Linear(6, 4), blobs, **options)
