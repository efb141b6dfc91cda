"""IVON against the exact posterior of linear models."""

import math

import pytest
import torch
from torch import nn

import acquisition
from acquisition.heads import Homoscedastic
from acquisition.posteriors.ivon import Ivon, Rates, ivon_step
from acquisition.randomness import generator


def test_one_step_by_hand():
    """m = 1, h = 0.5, ε = 2, λ = 10, δ = 0.1, g = 0.4, computed on paper from Algorithm 1."""
    rates = Rates(learning_rate=0.1, beta1=0.9, beta2=0.99, ess=10.0, decay=0.1, clip=math.inf)
    state = Ivon.start(torch.tensor([1.0], dtype=torch.float64), 0.5)
    sigma = (10 * 0.6) ** -0.5
    assert float(state.std_P(10.0, 0.1)) == pytest.approx(sigma)
    gradient, offset = (torch.tensor([v], dtype=torch.float64) for v in (0.4, 2 * sigma))
    after = ivon_step(state, gradient, offset, rates)
    found = 0.4 * 2 * sigma / sigma**2
    hessian = 0.99 * 0.5 + 0.01 * found + 0.5 * 0.01**2 * (0.5 - found) ** 2 / 0.6
    assert float(after.hessian_P) == pytest.approx(hessian)
    assert float(after.momentum_P) == pytest.approx(0.04)
    assert float(after.mean_P) == pytest.approx(1 - 0.1 * (0.4 + 0.1 * 1) / (hessian + 0.1))
    assert after.step == 1


def test_the_curvature_stays_positive_whatever_the_gradients():
    source = generator(0)
    rates = Rates(learning_rate=0.01, beta1=0.9, beta2=0.9, ess=100.0, decay=1e-3, clip=math.inf)
    state = Ivon.start(torch.zeros(200, dtype=torch.float64), 0.1)
    for _ in range(200):
        gradient = 5 * torch.randn(200, generator=source, dtype=torch.float64)
        offset = state.std_P(100.0, 1e-3) * torch.randn(200, generator=source, dtype=torch.float64)
        state = ivon_step(state, gradient, offset, rates)
        assert (state.hessian_P + 1e-3 > 0).all()


def test_no_weight_moves_farther_than_the_clip():
    rates = Rates(learning_rate=0.1, beta1=0.9, beta2=0.99, ess=10.0, decay=0.1, clip=0.5)
    state = Ivon.start(torch.zeros(2), 0.1)
    after = ivon_step(state, torch.tensor([100.0, -100.0]), torch.zeros(2), rates)
    torch.testing.assert_close(after.mean_P, torch.tensor([-0.05, 0.05]))


def test_it_finds_the_exact_posterior_of_a_linear_model():
    """Mean-field: the mean is exact, σ_i = 1 / √(precision_ii)."""
    source = generator(3)
    inputs = torch.randn(200, 3, generator=source)
    targets = inputs @ torch.tensor([1.0, -1.0, 0.5]) + 0.5 * torch.randn(200, generator=source)
    posterior = acquisition.fit(
        "ivon", lambda: Homoscedastic(3, noise_variance=0.25), (inputs, targets),
        ess=200.0, hess_init=1.0, prior_precision=1.0, epochs=3000, batch_size=200, beta2=0.995,
        learning_rate=0.1,
    )  # fmt: skip
    design = torch.cat([inputs, torch.ones(200, 1)], 1).double()
    precision = design.T @ design / 0.25 + torch.eye(4, dtype=torch.float64)
    mean = torch.linalg.solve(precision, design.T @ targets.double() / 0.25)
    state = posterior.state()
    found = torch.cat([state["mean.mean.weight"][0], state["mean.mean.bias"]]).double()
    std = torch.cat([state["std.mean.weight"][0], state["std.mean.bias"]]).double()
    exact = precision.diagonal().rsqrt()
    assert ((found - mean).abs() / exact).max() < 0.3
    torch.testing.assert_close(std, exact, rtol=0.1, atol=0)


@pytest.mark.parametrize("n_items", [12, 20])
def test_a_few_labels_do_not_drown_in_noise(n_items):
    """λ = 10 N lets the noise win; the least λ keeps the network alive."""
    source = generator(0)
    centres = torch.randn(4, 64, generator=source)
    targets = torch.arange(400) % 4
    inputs = centres[targets] + 0.7 * torch.randn(400, 64, generator=source)

    def network():
        return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 4))

    posterior = acquisition.fit("ivon", network, (inputs[:n_items], targets[:n_items]), seed=1)
    predicted = acquisition.predict(posterior, inputs[n_items:]).exp().mean(0).argmax(-1)
    assert (predicted == targets[n_items:]).float().mean() > 0.8


def test_the_effective_sample_size_is_ten_times_the_labels_and_at_least_3000(blobs):
    def std(inputs, targets, **options):
        posterior = acquisition.fit(
            "ivon", lambda: nn.Linear(6, 4), (inputs, targets), epochs=1, batch_size=4096, seed=1, **options
        )
        return posterior.state()["std.weight"]

    inputs, targets = (t.repeat(*([10] + [1] * (t.dim() - 1))) for t in blobs)  # 600 items
    assert torch.equal(std(*blobs), std(*blobs, ess=3000.0))
    assert torch.equal(std(inputs, targets), std(inputs, targets, ess=6000.0))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"ess": 0.0}, "ess is 0.0; a number above 0"),
        ({"hess_init": -1.0}, "hess_init is -1.0"),
        ({"prior_precision": 0.0}, "prior_precision is 0.0"),
        ({"beta2": 1.0}, "beta2 is 1.0; a number from 0 to below 1"),
        ({"clip": 0.0}, "clip is 0.0; a number above 0"),
    ],
)
def test_options_outside_their_range_are_refused(options, match, blobs):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.fit("ivon", lambda: nn.Linear(6, 4), blobs, **options)
