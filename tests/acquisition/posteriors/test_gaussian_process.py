import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import acquisition
from acquisition.gaussian.draws import fourier_features
from acquisition.gaussian.kernel import (
    FoundKernel,
    Kernel,
    factor,
    found_kernel,
    leave_one_out,
    median_distance,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel(lengthscale=1.5, variance=2.0):
    return Kernel(torch.tensor(lengthscale).double(), torch.tensor(variance).double())


def classifier():
    return nn.Linear(6, 4)


def exact(posterior, features_N_D, function):
    """The closed form of one function's mean and deviation."""
    items, values, noise = (posterior.tensors[name] for name in ("items", "values", "noise"))
    whole = posterior.kernel(items, items) + torch.diag(noise[function])
    across = posterior.kernel(features_N_D, items) @ torch.linalg.inv(whole)
    own = posterior.kernel(features_N_D, features_N_D)
    covariance = own - across @ posterior.kernel(items, features_N_D)
    return across @ values[function], covariance.diagonal().sqrt()


def test_drawn_functions_have_the_mean_and_deviation_of_the_exact_posterior(blobs):
    posterior = acquisition.fit("gaussian_process", classifier, blobs, temperature=1.0)
    features_N_D = posterior.features(3 * normal(40, 6, seed=1).float())
    functions_T_N_C = posterior.forward(posterior.draw(2000, seed=0), features_N_D)
    for function in (0, 3):
        mean_N, deviation_N = exact(posterior, features_N_D, function)
        drawn_T_N = functions_T_N_C[..., function]
        off_N = (drawn_T_N.mean(0) - mean_N).abs() / deviation_N
        ratio_N = drawn_T_N.std(0) / deviation_N
        assert off_N.mean() < 0.035  # of 2000 draws alone 0.018
        assert (ratio_N.mean() - 1).abs() < 0.01
        assert (ratio_N - 1).abs().mean() < 0.05


def test_random_features_give_the_kernel():
    items = normal(30, 4)
    features = fourier_features(kernel(), items, 20_000, 1)
    torch.testing.assert_close(features @ features.T, kernel()(items, items), atol=0.06, rtol=0)
    torch.testing.assert_close(features.square().sum(1), torch.full((30,), 2.0).double())


def test_leave_one_out_is_fitting_again_without_the_item():
    items, values = normal(12, 2), normal(2, 12, seed=1)
    noise = 0.1 + normal(2, 12, seed=2).abs()
    found = leave_one_out(FoundKernel(kernel(), noise, 0.0), items, values)
    for left in (0, 7):
        rest = torch.arange(12) != left
        for c in range(2):
            whole = kernel()(items[rest], items[rest]) + torch.diag(noise[c, rest])
            across = kernel()(items[left : left + 1], items[rest])
            mean = across @ torch.linalg.solve(whole, values[c, rest])
            variance = 2.0 - across @ torch.linalg.solve(whole, across.T)
            assert found.means_C_n[c, left].item() == pytest.approx(mean.item(), abs=1e-9)
            assert found.variances_C_n[c, left].item() == pytest.approx(variance.item(), abs=1e-9)


def test_the_marginal_likelihood_is_that_of_the_normal_distribution_and_grows():
    items = normal(25, 2)
    values = torch.stack([(4 * items[:, 0]).sin(), (4 * items[:, 1]).cos()]) + 0.1 * normal(2, 25, seed=3)
    noise = torch.full((2, 25), 0.01).double()
    start, found = (found_kernel(items, values, noise, steps) for steps in (0, 20))
    for each in (start, found):
        whole = each.kernel(items, items) + torch.diag(noise[0])
        expected = MultivariateNormal(torch.zeros(25).double(), whole).log_prob(values).sum()
        assert each.log_evidence == pytest.approx(float(expected), rel=1e-9)
    assert found.log_evidence > start.log_evidence + 1
    assert start.kernel.lengthscale == median_distance(items)


def test_a_number_is_regressed_on_with_its_noise():
    inputs = 3 * normal(150, 1)
    targets = (50 + 10 * inputs[:, 0].sin() + 2 * normal(150, seed=1)).float()
    posterior = acquisition.fit("gaussian_process", lambda: nn.Linear(1, 2), (inputs.float(), targets))
    found = acquisition.predict(posterior, torch.tensor([[0.0], [1.5], [40.0]]), n_samples=400)
    assert found.log_variances_T_N.exp().sqrt().mean().item() == pytest.approx(2, abs=0.4)
    means, deviations = found.means_T_N.mean(0), found.means_T_N.std(0)
    assert means[:2].tolist() == pytest.approx([50, 50 + 10 * math.sin(1.5)], abs=1.5)
    assert deviations[2] > 5 * deviations[:2].max()


def test_labels_that_do_not_exclude_each_other_are_two_classes_each(blobs):
    inputs = blobs[0]
    targets = torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 2] > 0], 1).long()
    posterior = acquisition.fit("gaussian_process", lambda: nn.Linear(6, 3), (inputs, targets))
    assert posterior.n_outputs == 3
    likely = acquisition.predict(posterior, inputs).exp().mean(0)[..., 1] > 0.5
    assert (likely == targets.bool()).float().mean() > 0.9


def test_far_from_all_items_nothing_is_known(blobs):
    posterior = acquisition.fit("gaussian_process", classifier, blobs)
    far = 100 + torch.zeros(1, 6)
    pool = torch.cat([blobs[0], far])
    information = acquisition.score("bald", acquisition.predict(posterior, pool, n_samples=100))
    assert information.argmax() == 60
    mean_C = acquisition.predict(posterior, far, n_samples=1500).exp().mean(0)[0]
    assert mean_C.tolist() == pytest.approx([0.25] * 4, abs=0.05)


def test_the_temperature_that_leave_one_out_finds_is_better_than_none(blobs):
    seeded = torch.Generator().manual_seed(5)
    centres = torch.stack([blobs[0][blobs[1] == c].mean(0) for c in range(4)])
    targets = torch.arange(200) % 4
    test = centres[targets] + torch.randn(200, 6, generator=seeded)
    losses = []
    for temperature in ("held_out", 1.0):
        posterior = acquisition.fit("gaussian_process", classifier, blobs, temperature=temperature)
        mean_N_C = acquisition.predict(posterior, test, n_samples=100).exp().mean(0)
        losses.append(-mean_N_C.gather(1, targets[:, None]).log().mean().item())
    assert losses[0] < losses[1] - 0.02


def test_the_scaling_of_larger_evidence_is_taken():
    inputs = normal(80, 3).float()
    mixed = inputs * torch.tensor([1.0, 1000.0, 0.001])
    targets = (inputs[:, 2] > 0).long()
    chosen = acquisition.fit("gaussian_process", lambda: nn.Linear(3, 2), (mixed, targets))
    assert chosen.tensors["feature_scale"].unique().numel() == 3
    common = acquisition.fit("gaussian_process", lambda: nn.Linear(3, 2), (mixed, targets), scaling="common")
    assert common.tensors["feature_scale"].unique().numel() == 1


def test_it_follows_from_the_data_alone(blobs):
    first, second = (acquisition.fit("gaussian_process", classifier, blobs, seed=s).state() for s in (1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_equal_items_and_features_that_never_change_do_no_harm():
    inputs = torch.ones(9, 3)
    posterior = acquisition.fit("gaussian_process", lambda: nn.Linear(3, 2), (inputs, torch.arange(9) % 2))
    mean_N_C = acquisition.predict(posterior, inputs, n_samples=500).exp().mean(0)
    assert mean_N_C[0, 0].item() == pytest.approx(5 / 9, abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": "cold"}, "temperature is 'cold'"),
        ({"alpha_epsilon": -1.0}, "alpha_epsilon is -1"),
        ({"scaling": "none"}, "scaling is 'none'"),
        ({"n_features": 0}, "n_features is 0"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_wrong_options_are_refused(options, message, blobs):
    with pytest.raises(acquisition.InvalidOption, match=message):
        acquisition.fit("gaussian_process", classifier, blobs, **options)


def test_data_that_do_not_fit_are_refused(blobs):
    with pytest.raises(acquisition.InvalidInput, match=r'at most 50 .* Use "svgp"'):
        acquisition.fit("gaussian_process", classifier, blobs, max_items=50)
    with pytest.raises(acquisition.InvalidInput, match="only 2 outputs"):
        acquisition.fit("gaussian_process", lambda: nn.Linear(6, 2), blobs)
    with pytest.raises(acquisition.InvalidInput, match="its first layer takes 5"):
        acquisition.fit("gaussian_process", lambda: nn.Linear(5, 4), blobs)
    with pytest.raises(acquisition.InvalidInput, match="its first layer takes 3"):
        acquisition.fit("gaussian_process", lambda: nn.Linear(3, 4), blobs)
    with pytest.raises(acquisition.InvalidInput, match="one row of features per item"):
        acquisition.fit("gaussian_process", nn.Identity, (torch.randn(4), torch.arange(4)))
    posterior = acquisition.fit("gaussian_process", classifier, blobs)
    with pytest.raises(acquisition.InvalidInput, match="Expected items of 6 features, found 1"):
        acquisition.predict(posterior, torch.randn(3, 1))
    with pytest.raises(acquisition.InvalidInput, match="of another posterior"):
        acquisition.restore("gaussian_process", classifier, {"weight": torch.zeros(2)})


def test_items_of_several_rows_are_laid_flat(blobs):
    inputs, targets = blobs[0].view(60, 2, 3), blobs[1]
    posterior = acquisition.fit("gaussian_process", lambda: nn.Linear(3, 4), (inputs, targets))
    again = acquisition.restore("gaussian_process", lambda: nn.Linear(3, 4), posterior.state())
    plain = acquisition.fit("gaussian_process", classifier, blobs)
    assert torch.equal(acquisition.predict(again, inputs), acquisition.predict(plain, blobs[0]))


def test_a_module_without_a_linear_layer_leaves_the_outputs_to_the_targets(blobs):
    assert acquisition.fit("gaussian_process", nn.Identity, blobs).n_outputs == 4


def test_the_factor_is_that_of_kernel_and_noise():
    items, noise = normal(8, 2), torch.linspace(0.1, 1, 8).double()
    found = factor(kernel(), items, noise)
    torch.testing.assert_close(found @ found.T, kernel()(items, items) + torch.diag(noise))
    assert acquisition.fit("gaussian_process", nn.Identity, (items.float(), torch.arange(8) % 2)).to(
        "meta"
    ).device == torch.device("meta")
