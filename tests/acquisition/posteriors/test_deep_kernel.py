import sys

import pytest
import torch
from torch import nn

import acquisition
from acquisition.gaussian.inducing_points import Batch, Plan, Sparse, train_bound
from acquisition.gaussian.kernel import Kernel
from acquisition.gaussian.sparse_values import Observed, SparseValues, told, whitened
from acquisition.heads import Heteroscedastic
from acquisition.training import Recipe

QUICK = {"epochs": 30, "tuning_epochs": 5, "inducing": 20, "learning_rate": 1e-2}


def network():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4))


def line():
    generator = torch.Generator().manual_seed(0)
    items = torch.linspace(-2, 2, 40).double()[:, None]
    return items, items[:, 0].sin() + 0.1 * torch.randn(40, generator=generator).double()


def closed_form(n_places=8):
    items, values = line()
    kernel = Kernel(torch.tensor(1.0).double(), torch.tensor(1.0).double())
    places = items[:: 40 // n_places].clone()
    noise = torch.full((1, 40), 0.01).double()
    return told(places, kernel, Observed(whitened(kernel, places, items), values[None], noise))


def bound_of(sparse):
    items, values = line()
    with torch.no_grad():
        return float(sparse.bound(Batch(items, values), 40, torch.Generator().manual_seed(0)))


def test_training_begins_at_the_closed_form_and_the_bound_grows():
    start = closed_form()
    sparse = Sparse(start, torch.tensor(0.01).double(), "regression")
    items, values = line()
    kept = sparse.values()
    torch.testing.assert_close(kept.white_mean_C_M, start.white_mean_C_M)
    covariances = [
        found.white_factor_C_M_M @ found.white_factor_C_M_M.transpose(1, 2) for found in (kept, start)
    ]
    torch.testing.assert_close(*covariances)
    found = sparse.process.eval()(items)
    means, variances = start.marginals(whitened(start.kernel, start.places_M_D, items))
    torch.testing.assert_close(found.mean, means, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.variance, variances, atol=1e-4, rtol=0)
    sparse.process.train()
    before = bound_of(sparse)
    plan = Plan(Recipe.of(None, 20, 1e-2, 0.0, "cpu"), 20, 0, lambda done, total: None)
    groups = [{"params": list(sparse.parameters()), "lr": 1e-2}]
    train_bound(sparse, groups, lambda rows: Batch(items[rows], values[rows]), 40, plan)
    assert bound_of(sparse) > before + 0.01


def test_the_closed_form_can_not_be_beaten_by_another_mean():
    best = closed_form()
    noise = torch.tensor(0.01).double()
    moved = SparseValues(best.places_M_D, best.kernel, best.white_mean_C_M + 0.1, best.white_factor_C_M_M)
    assert bound_of(Sparse(best, noise, "regression")) > bound_of(Sparse(moved, noise, "regression"))


def test_the_network_is_tuned_and_its_features_are_what_the_kernel_sees(blobs):
    plain, tuned = (
        acquisition.fit("deep_kernel", network, blobs, **QUICK | {"tuning_epochs": epochs})
        for epochs in (0, 5)
    )
    assert not torch.equal(plain.state()["module.0.weight"], tuned.state()["module.0.weight"])
    assert torch.equal(plain.state()["module.3.weight"], tuned.state()["module.3.weight"])
    features = acquisition.embed(tuned, blobs[0])
    hidden = torch.relu(blobs[0] @ tuned.state()["module.0.weight"].T + tuned.state()["module.0.bias"])
    scaled = (hidden - tuned.state()["feature_mean"]) / tuned.state()["feature_scale"]
    torch.testing.assert_close(features, scaled.float(), atol=1e-5, rtol=0)


def test_the_temperature_divides_the_functions(blobs):
    given = QUICK | {"epochs": 5}
    plain, cold = (acquisition.fit("deep_kernel", network, blobs, **given, temperature=t) for t in (1.0, 0.5))
    features = plain.features(blobs[0])
    first, second = (p.forward(p.draw(3, seed=0), features) for p in (plain, cold))
    torch.testing.assert_close(2 * first, second)
    held_out = acquisition.fit("deep_kernel", network, blobs, **given).state()["temperature"]
    assert 0.1 <= float(held_out) <= 10


def test_a_number_is_learnt_with_its_noise():
    items, values = line()
    data = (items.float(), (20 + 5 * values).float())
    factory = lambda: nn.Sequential(nn.Linear(1, 16), nn.Tanh(), Heteroscedastic(16))  # noqa: E731
    posterior = acquisition.fit("deep_kernel", factory, data, **QUICK | {"epochs": 200})
    found = acquisition.predict(posterior, data[0], n_samples=100)
    assert posterior.n_outputs == 2
    assert (found.means_T_N.mean(0) - data[1]).abs().mean() < 1.5
    assert 0.1 < found.log_variances_T_N.exp().sqrt().mean() < 2
    restored = acquisition.restore("deep_kernel", factory, posterior.state(), "regression")
    assert torch.equal(acquisition.predict(restored, data[0], n_samples=100).means_T_N, found.means_T_N)


def test_labels_that_do_not_exclude_each_other_work(blobs):
    inputs = blobs[0]
    targets = torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 2] > 0], 1).long()
    posterior = acquisition.fit(
        "deep_kernel", lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)),
        (inputs, targets),
        **QUICK | {"epochs": 100},
    )  # fmt: skip
    assert posterior.n_outputs == 3
    likely = acquisition.predict(posterior, inputs).exp().mean(0)[..., 1] > 0.5
    assert (likely == targets.bool()).float().mean() > 0.9


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    with pytest.raises(acquisition.InvalidOption, match=r'pip install "active-labeling-workbench\[gp\]"'):
        acquisition.fit("deep_kernel", network, (torch.zeros(2, 6), torch.tensor([0, 1])))


def test_scoring_and_restoring_need_no_gpytorch(monkeypatch, blobs):
    posterior = acquisition.fit("deep_kernel", network, blobs, **QUICK)
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    restored = acquisition.restore("deep_kernel", network, posterior.state())
    assert torch.equal(acquisition.predict(restored, blobs[0]), acquisition.predict(posterior, blobs[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inducing": 0}, "inducing is 0"),
        ({"tuning_epochs": -1}, "tuning_epochs is -1"),
        ({"n_features": 0}, "n_features is 0"),
        ({"temperature": "cold"}, "temperature is 'cold'"),
    ],
)
def test_wrong_options_are_refused(options, message, blobs):
    with pytest.raises(acquisition.InvalidOption, match=message):
        acquisition.fit("deep_kernel", network, blobs, **options)


def test_a_state_of_another_posterior_is_refused(blobs):
    state = acquisition.fit("last_layer_laplace", network, blobs, epochs=1, prior_precision=1.0).state()
    with pytest.raises(acquisition.InvalidInput, match="of another posterior"):
        acquisition.restore("deep_kernel", network, state)
