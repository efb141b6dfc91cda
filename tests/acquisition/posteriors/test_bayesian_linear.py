import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import acquisition
from acquisition.laplace.linear_evidence import RATIOS, linear_fit
from acquisition.laplace.logistic import (
    Approximation,
    Problem,
    best_weights,
    log_evidence,
    log_joint,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def classifier():
    return nn.Linear(6, 4)


@pytest.mark.parametrize("n_items", [30, 4])
def test_regression_is_exact_for_more_and_for_fewer_items_than_features(n_items):
    features = torch.cat([normal(n_items, 5), torch.ones(n_items, 1).double()], 1)
    values = features @ normal(6, seed=1) + 0.5 * normal(n_items, seed=2)
    found = linear_fit(features, values)
    precision = features.T @ features / found.noise + found.precision * torch.eye(6)
    across = torch.eye(6).double() - found.basis_P_R @ found.basis_P_R.T
    covariance = found.basis_P_R * found.variance_R @ found.basis_P_R.T + across / found.precision
    torch.testing.assert_close(covariance, torch.linalg.inv(precision), atol=0, rtol=1e-5)
    mean = torch.linalg.solve(precision, features.T @ values / found.noise)
    torch.testing.assert_close(found.basis_P_R @ found.mean_R, mean, atol=1e-9, rtol=1e-5)
    assert found.log_evidence == pytest.approx(marginal(features, values, found), rel=1e-5)


def marginal(features, values, found, precision=None, noise=None):
    whole = features @ features.T / (precision or found.precision)
    whole = whole + (noise or found.noise) * torch.eye(len(values)).double()
    return float(MultivariateNormal(torch.zeros(len(values)).double(), whole).log_prob(values))


def test_noise_and_prior_are_those_of_the_largest_evidence():
    features = normal(60, 4)
    values = features @ normal(4, seed=1) + 0.7 * normal(60, seed=2)
    found = linear_fit(features, values)
    assert found.noise == pytest.approx(0.49, rel=0.35)
    step = RATIOS[1] / RATIOS[0]
    best = marginal(features, values, found)
    for factor in (step, 1 / step, 3.0, 0.3):
        assert best >= marginal(features, values, found, noise=found.noise * factor)
        assert best >= marginal(features, values, found, precision=found.precision * factor) - 0.02


def test_drawn_weights_have_the_exact_mean_and_covariance():
    inputs = normal(3, 2).float()  # fewer items than weights: the prior is left across them
    posterior = acquisition.fit(
        "bayesian_linear", lambda: nn.Linear(2, 2), (inputs, torch.tensor([1.0, 3, 2]))
    )
    weights = posterior.draw(100_000, seed=0).state["weights"][:, 0]
    features = torch.cat([posterior.features(inputs), torch.ones(3, 1).double()], 1)
    precision = features.T @ features / posterior.tensors["noise"]
    expected = torch.linalg.inv(precision + posterior.tensors["precision"] * torch.eye(3))
    assert (torch.cov(weights.T) - expected).norm() / expected.norm() < 0.03
    torch.testing.assert_close(weights.mean(0), posterior.tensors["weights"][0], atol=0.02, rtol=0)


def logistic(task):
    features = torch.cat([normal(12, 2), torch.ones(12, 1).double()], 1)
    targets = torch.arange(12) % 4 if task == "classification" else (normal(12, 4, seed=3) > 0).double()
    problem = Problem(features, targets, task, 4)
    return problem, best_weights(problem, 0.7, torch.zeros(4, 3).double())


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_the_best_weights_have_no_gradient(task):
    problem, weights = logistic(task)
    weights.requires_grad_(True)
    log_joint(problem, 0.7, weights).backward()
    assert weights.grad.abs().max() < 1e-5


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_the_function_space_is_the_dense_laplace_approximation(task):
    problem, weights = logistic(task)
    hessian = torch.autograd.functional.hessian(
        lambda flat: -log_joint(problem, 0.7, flat.view(4, 3)), weights.flatten()
    )
    evidence = log_joint(problem, 0.7, weights) + 6 * math.log(0.7) - 0.5 * torch.logdet(hessian)
    assert log_evidence(problem, 0.7, weights) == pytest.approx(float(evidence), rel=1e-9)
    found = Approximation(problem.features_n_P, weights, 0.7, task)
    deviations = found.deviations(normal(4, 3, 100_000, seed=1), normal(4, 12, 100_000, seed=2))
    expected = torch.linalg.inv(hessian)
    assert (torch.cov(deviations.flatten(1).T) - expected).norm() / expected.norm() < 0.03


def test_the_prior_precision_is_a_local_best_of_the_grid(blobs):
    posterior = acquisition.fit("bayesian_linear", classifier, blobs, scaling="each")
    features, tau = posterior.tensors["items"], float(posterior.tensors["precision"])
    problem = Problem(features, blobs[1], "classification", 4)
    evidence = [
        log_evidence(problem, t, best_weights(problem, t, torch.zeros(4, 7).double()))
        for t in (tau, tau * 10**0.5, tau / 10**0.5)
    ]
    assert evidence[0] == max(evidence)


def test_a_narrow_posterior_is_chosen_where_classes_can_be_told_apart(blobs):
    posterior = acquisition.fit("bayesian_linear", classifier, blobs)
    assert 0 < float(posterior.tensors["temperature"]) < 1


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_temperature_multiplies_the_covariance(temperature, blobs):
    given = {"prior_precision": 1.0, "scaling": "each"}
    warm, cold = (
        acquisition.fit("bayesian_linear", classifier, blobs, temperature=t, **given).draw(50, seed=1)
        for t in (1.0, temperature)
    )
    centre = acquisition.fit("bayesian_linear", classifier, blobs, temperature=1.0, **given).tensors[
        "weights"
    ]
    ratio = (cold.state["weights"] - centre) / (warm.state["weights"] - centre)
    torch.testing.assert_close(ratio, torch.full_like(ratio, temperature**0.5))


def test_labels_that_do_not_exclude_each_other_work(blobs):
    inputs = blobs[0]
    targets = torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 2] > 0], 1).long()
    posterior = acquisition.fit("bayesian_linear", lambda: nn.Linear(6, 3), (inputs, targets))
    likely = acquisition.predict(posterior, inputs).exp().mean(0)[..., 1] > 0.5
    assert (likely == targets.bool()).float().mean() > 0.9


def test_a_number_keeps_its_units_and_noise():
    inputs = normal(300, 2).float()
    targets = 100 + 20 * inputs[:, 0] + 3 * normal(300, seed=1).float()
    posterior = acquisition.fit("bayesian_linear", lambda: nn.Linear(2, 2), (inputs, targets))
    found = acquisition.predict(posterior, torch.tensor([[0.0, 0.0], [1.0, 0.0]]), n_samples=500)
    assert found.means_T_N.mean(0).tolist() == pytest.approx([100, 120], abs=1)
    assert found.log_variances_T_N.exp().sqrt().mean().item() == pytest.approx(3, rel=0.15)
    restored = acquisition.restore(
        "bayesian_linear", lambda: nn.Linear(2, 2), posterior.state(), "regression"
    )
    again = acquisition.predict(restored, torch.tensor([[0.0, 0.0], [1.0, 0.0]]), n_samples=500)
    assert torch.equal(found.means_T_N, again.means_T_N)


def test_equal_numbers_do_no_harm():
    posterior = acquisition.fit("bayesian_linear", nn.Identity, (torch.ones(5, 2), torch.full((5,), 7.0)))
    found = acquisition.predict(posterior, torch.ones(1, 2), n_samples=200)
    assert found.means_T_N.mean().item() == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior_precision": 0}, "prior_precision is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"scaling": "none"}, "scaling is 'none'"),
        ({"max_items": 0}, "max_items is 0"),
    ],
)
def test_wrong_options_are_refused(options, message, blobs):
    with pytest.raises(acquisition.InvalidOption, match=message):
        acquisition.fit("bayesian_linear", classifier, blobs, **options)


def test_too_many_items_are_refused_for_classes_and_not_for_numbers(blobs):
    with pytest.raises(acquisition.InvalidInput, match=r'at most 50 .* Use "last_layer_laplace"'):
        acquisition.fit("bayesian_linear", classifier, blobs, max_items=50)
    acquisition.fit("bayesian_linear", lambda: nn.Linear(6, 2), (blobs[0], blobs[1].float()), max_items=50)
