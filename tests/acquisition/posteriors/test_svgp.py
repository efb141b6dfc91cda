import math

import pytest
import torch
from torch import nn

import acquisition
from acquisition.gaussian.kernel import Kernel
from acquisition.gaussian.sparse_values import Observed, SparseValues, told, whitened


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel(lengthscale=1.5, variance=2.0):
    return Kernel(torch.tensor(lengthscale).double(), torch.tensor(variance).double())


def classifier():
    return nn.Linear(6, 4)


def known(n_items=20):
    items, values = normal(n_items, 2), normal(2, n_items, seed=1)
    return items, values, 0.1 + normal(2, n_items, seed=2).abs()


def test_with_all_items_as_inducing_points_it_is_the_exact_process():
    items, values, noise = known()
    found = told(items, kernel(), Observed(whitened(kernel(), items, items), values, noise))
    places = 2 * normal(9, 2, seed=3)
    means, variances = found.marginals(whitened(kernel(), items, places))
    for c in range(2):
        inverse = torch.linalg.inv(kernel()(items, items) + torch.diag(noise[c]))
        across = kernel()(places, items)
        torch.testing.assert_close(means[c], across @ inverse @ values[c], atol=5e-4, rtol=1e-3)
        expected = 2.0 - (across @ inverse @ across.T).diagonal()
        torch.testing.assert_close(variances[c], expected, atol=5e-4, rtol=1e-3)


def test_no_other_distribution_of_the_values_has_a_larger_bound():
    items, values, noise = known()
    places = items[:6]
    seen = whitened(kernel(), places, items)
    found = told(places, kernel(), Observed(seen, values, noise))

    def bound(mean, factor):
        fitted = SparseValues(places, kernel(), mean, factor)
        means, variances = fitted.marginals(seen)
        fit = -0.5 * (((values - means) ** 2 + variances) / noise).sum()
        trace = factor.square().sum() + mean.square().sum()
        return float(fit - 0.5 * trace + torch.linalg.slogdet(factor).logabsdet.sum())

    best = bound(found.white_mean_C_M, found.white_factor_C_M_M)
    for seed in range(5):
        nudge = 0.05 * normal(2, 6, seed=seed)
        assert bound(found.white_mean_C_M + nudge, found.white_factor_C_M_M) < best
        turned = found.white_factor_C_M_M @ (torch.eye(6) + 0.05 * normal(2, 6, 6, seed=seed))
        assert bound(found.white_mean_C_M, turned) < best


def test_drawn_functions_have_the_mean_and_deviation_of_the_sparse_posterior():
    items, values, noise = known(40)
    places = items[:15]
    found = told(places, kernel(), Observed(whitened(kernel(), places, items), values, noise))
    tried = 2 * normal(30, 2, seed=3)
    means_C_N, variances_C_N = found.marginals(whitened(kernel(), places, tried))
    from acquisition.gaussian.draws import function_values

    drawn_T_N_C = function_values(kernel(), places, found.draw(4000, 1024, 0), tried)
    deviations_N_C = variances_C_N.sqrt().T
    assert ((drawn_T_N_C.mean(0) - means_C_N.T).abs() / deviations_N_C).mean() < 0.03
    ratio_N_C = drawn_T_N_C.std(0) / deviations_N_C
    assert (ratio_N_C - 1).abs().mean() < 0.05


def test_fewer_inducing_points_are_less_sure(blobs):
    found = []
    for inducing in (4, 60):
        posterior = acquisition.fit("svgp", classifier, blobs, inducing=inducing, temperature=1.0)
        assert posterior.tensors["places"].shape == (inducing, 6)
        log_probs = acquisition.predict(posterior, blobs[0], n_samples=200)
        found.append(acquisition.score("predictive_entropy", log_probs).mean().item())
    assert found[1] < found[0] <= math.log(4) + 1e-6


def test_it_predicts_what_the_exact_process_does_where_every_item_is_an_inducing_point(blobs):
    pool = 2 * normal(50, 6, seed=1).float()
    means = [
        acquisition.predict(acquisition.fit(name, classifier, blobs, temperature=0.3), pool, n_samples=1000)
        .exp()
        .mean(0)
        for name in ("svgp", "gaussian_process")
    ]
    assert (means[0] - means[1]).abs().max() < 0.06


def test_a_number_is_regressed_on_with_its_noise():
    inputs = 3 * normal(150, 1)
    targets = (50 + 10 * inputs[:, 0].sin() + 2 * normal(150, seed=1)).float()
    posterior = acquisition.fit("svgp", lambda: nn.Linear(1, 2), (inputs.float(), targets), inducing=40)
    found = acquisition.predict(posterior, torch.tensor([[0.0], [1.5], [40.0]]), n_samples=400)
    assert posterior.n_outputs == 2
    assert found.log_variances_T_N.exp().sqrt().mean().item() == pytest.approx(2, abs=0.4)
    assert found.means_T_N.mean(0)[:2].tolist() == pytest.approx([50, 50 + 10 * math.sin(1.5)], abs=1.5)
    assert found.means_T_N.std(0)[2] > 5 * found.means_T_N.std(0)[:2].max()


def test_labels_that_do_not_exclude_each_other_work(blobs):
    inputs = blobs[0]
    targets = torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 2] > 0], 1).long()
    posterior = acquisition.fit("svgp", lambda: nn.Linear(6, 3), (inputs, targets))
    assert posterior.n_outputs == 3
    likely = acquisition.predict(posterior, inputs).exp().mean(0)[..., 1] > 0.5
    assert (likely == targets.bool()).float().mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inducing": 0}, "inducing is 0"),
        ({"temperature": "cold"}, "temperature is 'cold'"),
        ({"alpha_epsilon": 0}, "alpha_epsilon is 0"),
        ({"scaling": "none"}, "scaling is 'none'"),
    ],
)
def test_wrong_options_are_refused(options, message, blobs):
    with pytest.raises(acquisition.InvalidOption, match=message):
        acquisition.fit("svgp", classifier, blobs, **options)
