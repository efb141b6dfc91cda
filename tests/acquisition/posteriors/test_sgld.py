"""Stochastic gradient Langevin dynamics against laws that are known exactly."""

import pytest
import torch
from torch import nn

import acquisition
from acquisition.posteriors.sgld import langevin_step
from acquisition.randomness import generator


@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.0])
def test_a_normal_density_is_sampled_with_the_variance_of_the_step(step_size):
    """On U = w²/2 the walk is autoregressive: its variance is 1 / (1 − h/4), not 1."""
    source, weights = generator(0), torch.zeros(20_000, dtype=torch.float64)
    found = []
    for _ in range(200 + round(60 / step_size)):
        drawn = torch.randn(20_000, generator=source, dtype=torch.float64)
        weights = langevin_step(weights, weights, drawn, step_size)
        found.append(float(weights.var()))
    late = found[-20:]
    assert sum(late) / len(late) == pytest.approx(1 / (1 - step_size / 4), rel=0.04)


def test_temperature_scales_the_variance():
    source, weights = generator(1), torch.zeros(20_000, dtype=torch.float64)
    for _ in range(300):
        drawn = torch.randn(20_000, generator=source, dtype=torch.float64)
        weights = langevin_step(weights, weights, drawn, 0.1, temperature=0.25)
    assert float(weights.var()) == pytest.approx(0.25 / (1 - 0.1 / 4), rel=0.04)


def test_a_constant_preconditioner_is_another_step_size():
    weights, gradient = torch.randn(9, generator=generator(0)), torch.randn(9, generator=generator(1))
    drawn = torch.randn(9, generator=generator(2))
    torch.testing.assert_close(
        langevin_step(weights, gradient, drawn, 0.1, preconditioner_P=torch.full((9,), 3.0)),
        langevin_step(weights, gradient, drawn, 0.3),
    )


def _regression():
    source = generator(3)
    inputs = torch.randn(200, 3, generator=source)
    targets = inputs @ torch.tensor([1.0, -1.0, 0.5]) + 0.5 * torch.randn(200, generator=source)
    return inputs, targets


def test_a_full_batch_walk_samples_the_exact_posterior_of_a_linear_model():
    inputs, targets = (t.double() for t in _regression())
    precision = inputs.T @ inputs / 0.25 + torch.eye(3, dtype=torch.float64)
    mean = torch.linalg.solve(precision, inputs.T @ targets / 0.25)
    source = generator(4)
    chains = mean.expand(2000, 3)
    for _ in range(400):
        gradient = (chains - mean) @ precision  # ∇U of the Gaussian posterior, chain by chain
        drawn = torch.randn(2000, 3, generator=source, dtype=torch.float64)
        chains = langevin_step(chains, gradient, drawn, 2e-4)
    ratio = chains.var(0) / precision.inverse().diagonal()
    assert (ratio - 1).abs().max() < 0.08


def _head():
    from acquisition.heads import Homoscedastic

    return Homoscedastic(3, noise_variance=0.25)


def test_a_fitted_full_batch_walk_has_the_spread_of_the_posterior():
    """The whole path through ``fit``: N times the mean gradient, the prior, the noise, burn-in, thinning."""
    inputs, targets = _regression()
    posterior = acquisition.fit(
        "sgld", _head, (inputs, targets), seed=2,
        preconditioned=False, temperature=1.0, walk_rate=0.02, samples=600, thinning=6, burn_in=100,
        batch_size=200, epochs=100, learning_rate=0.05,
    )  # fmt: skip
    design = torch.cat([inputs, torch.ones(200, 1)], 1).double()
    precision = design.T @ design / 0.25 + torch.eye(4, dtype=torch.float64)
    mean = torch.linalg.solve(precision, design.T @ targets.double() / 0.25)
    state = posterior.state()
    samples = torch.cat([state["samples.mean.weight"][:, 0], state["samples.mean.bias"]], 1).double()
    exact = precision.inverse().diagonal()
    assert ((samples.mean(0) - mean).abs() / exact.sqrt()).max() < 0.2
    assert (samples.var(0) / exact).mean() == pytest.approx(1, abs=0.2)


def test_each_kept_sample_has_the_batch_statistics_of_its_time(blobs):
    def normalised():
        return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4))

    posterior = acquisition.fit("sgld", normalised, blobs, epochs=5, burn_in=0, samples=3, thinning=4)
    state = posterior.state()
    means = state["buffers.1.running_mean"]
    assert means.shape == (3, 5)
    assert not torch.equal(means[0], means[2])
    draw = posterior.draw(3, seed=0)
    for t, outputs in enumerate(posterior.forward(draw, blobs[0])):
        module = normalised().eval()
        names = module.state_dict()
        module.load_state_dict({n: state.get(f"samples.{n}", state.get(f"buffers.{n}"))[t] for n in names})
        torch.testing.assert_close(outputs, module(blobs[0]), atol=1e-5, rtol=0)


def test_the_first_walk_is_no_part_of_the_training(blobs):
    """The walk goes on from the trained weights: with no noise and a vanishing rate it stays there."""
    options = {"epochs": 3, "burn_in": 0, "samples": 2, "thinning": 1}
    still = acquisition.fit(
        "sgld", lambda: nn.Linear(6, 4), blobs, walk_rate=1e-12, temperature=0.0, **options
    )
    trained = acquisition.fit("swag", lambda: nn.Linear(6, 4), blobs, epochs=3, swag_learning_rate=1e-12)
    torch.testing.assert_close(still.state()["mean.weight"], trained.state()["mean.weight"])


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"samples": 1}, acquisition.NotStochastic, "use samples=2 or more"),
        ({"walk_rate": 0.0}, acquisition.InvalidOption, "walk_rate is 0.0; a number above 0"),
        ({"temperature": -1.0}, acquisition.InvalidOption, "temperature is -1.0"),
        ({"prior_precision": float("inf")}, acquisition.InvalidOption, "prior_precision is inf"),
        ({"thinning": 0}, acquisition.InvalidOption, "thinning is 0"),
        ({"burn_in": -1}, acquisition.InvalidOption, "burn_in is -1; a whole number of at least 0"),
    ],
)
def test_options_outside_their_range_are_refused(options, error, match, blobs):
    with pytest.raises(error, match=match):
        acquisition.fit("sgld", lambda: nn.Linear(6, 4), blobs, **options)
