"""Bayes by Backprop against closed forms."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

import acquisition
from acquisition.posteriors.bayes_by_backprop import Bound
from acquisition.randomness import forked
from acquisition.weights.variational import Variational, gaussian_kl


@pytest.fixture
def moments():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(200, generator=generator, dtype=torch.float64)
    return mean, 0.05 + torch.rand(200, generator=generator, dtype=torch.float64)


def test_the_kl_is_that_of_torch_distributions(moments):
    mean, std = moments
    expected = kl_divergence(Normal(mean, std), Normal(torch.zeros_like(mean), 0.7)).sum()
    assert abs(float(gaussian_kl(mean, std, 0.7) - expected)) < 1e-9


def test_the_kl_is_the_mean_log_ratio_of_samples(moments):
    mean, std = moments
    q, prior = Normal(mean, std), Normal(torch.zeros_like(mean), 0.7)
    with forked(1):
        samples = q.sample((20_000,))
    ratios = (q.log_prob(samples) - prior.log_prob(samples)).sum(-1)
    error = float(ratios.std() / len(ratios) ** 0.5)
    assert abs(float(ratios.mean() - gaussian_kl(mean, std, 0.7))) < 4 * error


def test_the_kl_of_the_prior_is_zero():
    zeros = torch.zeros(50, dtype=torch.float64)
    assert abs(float(gaussian_kl(zeros, zeros + 0.7, 0.7))) < 1e-12


def test_the_gradient_of_the_kl_vanishes_only_at_the_prior():
    mean = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    std = torch.full((3,), 0.7, dtype=torch.float64, requires_grad=True)
    gaussian_kl(mean, std, 0.7).backward()
    assert torch.allclose(mean.grad, torch.zeros(3, dtype=torch.float64))
    assert torch.allclose(std.grad, torch.zeros(3, dtype=torch.float64), atol=1e-12)


def _variational(local):
    module = nn.Sequential(nn.Linear(5, 3))
    with forked(0):
        module[0].reset_parameters()
    return Variational(module, 0.3, local=local)


def _outputs(local, items):
    with forked(2), torch.no_grad():
        return _variational(local)(items)


def test_sampled_outputs_have_the_moments_of_sampled_weights():
    item = torch.tensor([[1.0, -2.0, 0.5, 0.0, 3.0]])
    local = _outputs(True, item.expand(40_000, 5))
    variational = _variational(False)
    with forked(3), torch.no_grad():
        weights = variational.mean_P + variational.std_P * torch.randn(40_000, 18)
    layers = variational.layout.views(weights)
    sampled = torch.einsum("ni,toi->to", item, layers["0.weight"]) + layers["0.bias"]
    std = 0.3 * (1 + float((item**2).sum())) ** 0.5
    torch.testing.assert_close(local.std(0), torch.full((3,), std), rtol=0.01, atol=0)
    torch.testing.assert_close(local.std(0), sampled.std(0), rtol=0.01, atol=0)
    torch.testing.assert_close(local.mean(0), sampled.mean(0), atol=0.02 * std, rtol=0)


def test_a_pass_with_sampled_weights_has_their_spread():
    item = torch.tensor([[1.0, -2.0, 0.5, 0.0, 3.0]])
    variational = _variational(False)
    with forked(2), torch.no_grad():
        outputs = torch.cat([variational(item) for _ in range(2000)])
    std = 0.3 * (1 + float((item**2).sum())) ** 0.5
    torch.testing.assert_close(outputs.std(0), torch.full((3,), std), rtol=0.06, atol=0)


def test_outputs_are_sampled_item_by_item_and_weights_once_per_pass():
    items = torch.ones(64, 5)
    assert _outputs(True, items).std(0).min() > 0.1
    assert _outputs(False, items).std(0).max() == 0


def test_rows_of_one_item_share_their_weights():
    rows = torch.ones(1, 7, 5)  # one item of seven equal rows: sampling outputs would make them differ
    variational = Variational(nn.Sequential(nn.Linear(5, 3)), 0.3, local=True)
    outputs = variational(rows)
    torch.testing.assert_close(outputs, outputs[:, :1].expand_as(outputs))


def test_a_released_module_runs_as_itself_with_the_means():
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    items = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    expected = module(items)
    released = Variational(module, 0.5, local=True).release()
    assert released is module
    assert "forward" not in vars(module[0])
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())
    torch.testing.assert_close(module(items), expected)


@pytest.mark.parametrize(("epoch", "weight"), [(0, 0.1 * 1 / 5), (3, 0.1 * 4 / 5), (4, 0.1), (19, 0.1)])
def test_the_kl_comes_in_over_the_first_epochs(epoch, weight):
    bound = Bound(prior_std=1, kl_weight=0.1, annealing=0.25, initial_std=0.1, local=True)
    assert bound.weight(epoch, 20) == pytest.approx(weight)
    assert bound._replace(annealing=0).weight(0, 20) == pytest.approx(0.1)


def _line(n_items, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n_items, 2, generator=generator)
    noise = 0.5 * torch.randn(n_items, generator=generator)
    return inputs, inputs @ torch.tensor([1.0, -2.0]) + 0.3 + noise


def test_the_bound_itself_finds_the_exact_posterior_of_a_linear_model():
    """Mean-field: the mean is exact, σ_i = 1 / √(precision_ii)."""
    from acquisition.heads import Homoscedastic

    inputs, targets = _line(100)
    posterior = acquisition.fit(
        "bayes_by_backprop",
        lambda: Homoscedastic(2, noise_variance=0.25),
        (inputs, targets),
        kl_weight=1.0,
        annealing=0.0,
        epochs=400,
        batch_size=100,
        learning_rate=2e-2,
    )
    design = torch.cat([inputs, torch.ones(100, 1)], 1).double()
    precision = design.T @ design / 0.25 + torch.eye(3, dtype=torch.float64)
    mean = torch.linalg.solve(precision, design.T @ targets.double() / 0.25)
    state = posterior.state()
    found = torch.cat([state["mean.mean.weight"][0], state["mean.mean.bias"]]).double()
    std = torch.cat([state["std.mean.weight"][0], state["std.mean.bias"]]).double()
    exact = precision.diagonal().rsqrt()
    assert ((found - mean).abs() / exact).max() < 0.3
    torch.testing.assert_close(std, exact, rtol=0.1, atol=0)


def test_unused_weights_go_back_to_the_prior():
    """An input that is always 0 says nothing about its weights."""
    inputs, targets = _line(40)
    inputs = torch.cat([inputs, torch.zeros(40, 1)], 1)
    posterior = acquisition.fit(
        "bayes_by_backprop", lambda: nn.Linear(3, 2), (inputs, targets),
        kl_weight=1.0, prior_std=0.4, initial_std=0.3, epochs=250, batch_size=40, learning_rate=2e-2,
    )  # fmt: skip
    assert torch.allclose(posterior.state()["mean.weight"][:, 2], torch.zeros(2), atol=0.05)
    assert torch.allclose(posterior.state()["std.weight"][:, 2], torch.full((2,), 0.4), atol=0.04)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"prior_std": 0.0}, "prior_std is 0.0; a number above 0"),
        ({"initial_std": float("nan")}, "initial_std is nan"),
        ({"kl_weight": -1.0}, "kl_weight is -1.0; a number of at least 0"),
        ({"annealing": 1.5}, "annealing is 1.5; a number from 0 to 1"),
    ],
)
def test_options_outside_their_range_are_refused(options, match, blobs):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.fit("bayes_by_backprop", lambda: nn.Linear(6, 4), blobs, **options)
