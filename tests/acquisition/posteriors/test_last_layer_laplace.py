import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import acquisition
from acquisition.heads import Heteroscedastic, Homoscedastic
from acquisition.laplace.curvature import curvature, full_matrix, output_information
from acquisition.laplace.last_linear import check_cut, cut, last_linear, outputs
from acquisition.laplace.prior_precision import (
    EVIDENCE_GRID,
    Items,
    by_marginal_likelihood,
    curvature_of,
    log_evidence,
)
from acquisition.posteriors.last_layer_laplace import last_layer_laplace
from acquisition.tasks import losses


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features_of(n_items, width, seed=0):
    return torch.cat([normal(n_items, width - 1, seed=seed), torch.ones(n_items, 1, dtype=torch.float64)], 1)


def hessian(task, weights_C_P, features_N_P, targets):
    def loss(flat):
        return losses(task, features_N_P @ flat.view_as(weights_C_P).T, targets).sum()

    return torch.autograd.functional.hessian(loss, weights_C_P.flatten())


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_the_full_curvature_is_the_hessian_of_the_loss(task):
    weights_C_P, features_N_P = normal(3, 5, seed=1), features_of(20, 5)
    targets = torch.arange(20) % 3 if task == "classification" else (normal(20, 3) > 0).double()
    information = output_information(task, features_N_P @ weights_C_P.T)
    found = full_matrix(information, features_N_P)
    expected = hessian(task, weights_C_P, features_N_P, targets)
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def test_the_curvature_of_a_mean_and_log_variance_is_the_expected_hessian():
    weights_C_P, features_N_P = 0.3 * normal(2, 4, seed=1), features_of(30, 4)
    raw_N_2 = features_N_P @ weights_C_P.T
    spread_N = (0.5 * raw_N_2[:, 1]).exp()
    found = full_matrix(output_information("regression", raw_N_2), features_N_P)
    # A target of mean ± one deviation has the mean of the squared residual, and their mean has no residual.
    both = [
        hessian("regression", weights_C_P, features_N_P, raw_N_2[:, 0] + sign * spread_N) for sign in (-1, 1)
    ]
    torch.testing.assert_close(found, (both[0] + both[1]) / 2, atol=1e-8, rtol=0)


def test_samples_have_the_covariance_of_the_inverse_precision():
    features_N_P = features_of(25, 3)
    information = output_information("classification", normal(25, 3, seed=2))
    found = curvature("full", information, features_N_P)
    deviations = found.deviations(normal(100_000, 3, 3, seed=3), 0.5).flatten(1)
    expected = torch.linalg.inv(full_matrix(information, features_N_P) + 0.5 * torch.eye(9))
    assert (torch.cov(deviations.T) - expected).norm() / expected.norm() < 0.03
    assert found.log_determinant(0.5) == pytest.approx(-float(torch.logdet(expected)), rel=1e-9)


@pytest.mark.parametrize("structure", ["kronecker", "diagonal"])
def test_other_structures_are_what_they_say(structure):
    features_N_P, information = (
        features_of(25, 3),
        output_information("classification", normal(25, 3, seed=2)),
    )
    found = curvature(structure, information, features_N_P)
    if structure == "diagonal":
        full = torch.diag(full_matrix(information, features_N_P).diagonal())
    else:
        full = torch.kron(information.mean(0), features_N_P.T @ features_N_P)
    deviations = found.deviations(normal(100_000, 3, 3, seed=3), 2.0).flatten(1)
    expected = torch.linalg.inv(full + 2.0 * torch.eye(9))
    assert (torch.cov(deviations.T) - expected).norm() / expected.norm() < 0.03


def test_kronecker_is_full_where_all_items_are_equal():
    features_N_P = features_of(1, 3).expand(12, 3)
    information = output_information("classification", normal(1, 3, seed=2)).expand(12, 3, 3)
    spectra = [
        curvature(s, information, features_N_P).eigenvalues_C_P.flatten().sort().values
        for s in ("full", "kronecker")
    ]
    torch.testing.assert_close(*spectra, atol=1e-9, rtol=0)


def test_a_mean_with_known_noise_is_exact_bayesian_regression():
    features_N_P, noise, precision = features_of(30, 4), 0.3, 1.7
    targets_N = features_N_P @ normal(4, seed=5) + math.sqrt(noise) * normal(30, seed=6)
    inverse = torch.linalg.inv(features_N_P.T @ features_N_P / noise + precision * torch.eye(4))
    weights_1_P = (inverse @ features_N_P.T @ targets_N / noise)[None]
    beside = torch.full((30, 1), math.log(noise), dtype=torch.float64)
    items = Items(torch.cat([features_N_P[:, :-1], beside], 1), targets_N, "regression")
    found = curvature_of("full", weights_1_P, items)
    covariance = torch.linalg.inv(
        torch.einsum(
            "pq,q,rq->pr", found.bases["full"], found.eigenvalues_C_P[0] + precision, found.bases["full"]
        )
    )
    torch.testing.assert_close(covariance, inverse, atol=0, rtol=1e-5)
    marginal = MultivariateNormal(
        torch.zeros(30).double(),
        noise * torch.eye(30).double() + features_N_P @ features_N_P.T / precision,
    )
    evidence = float(marginal.log_prob(targets_N))
    assert log_evidence(weights_1_P, found, items, precision) == pytest.approx(evidence, rel=1e-5)
    best = by_marginal_likelihood(weights_1_P, found, items)
    assert best == max(EVIDENCE_GRID, key=lambda tau: log_evidence(weights_1_P, found, items, tau))


def blobs_network():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4))


@pytest.mark.parametrize("structure", ["full", "kronecker", "diagonal"])
def test_samples_centre_on_the_trained_network(structure, blobs):
    model = acquisition.training.train(
        blobs_network(), *blobs, recipe=acquisition.training.Recipe.of(50, 32, 1e-2, 0, "cpu"), seed=0,
        progress=lambda done, total: None,
    )  # fmt: skip
    posterior = last_layer_laplace(model, blobs, structure=structure, prior_precision=3.0)
    features = posterior.features(blobs[0])
    logits_T_N_C = posterior.forward(posterior.draw(4000, seed=0), features)
    spread = logits_T_N_C.std(0)
    assert ((logits_T_N_C.mean(0) - model(blobs[0]).detach()).abs() / spread).max() < 5 / math.sqrt(4000)
    assert spread.min() > 0.01


def test_only_one_pass_of_the_network_is_needed_for_all_samples(blobs):
    posterior = acquisition.fit("last_layer_laplace", blobs_network, blobs, epochs=3, prior_precision=1.0)
    assert posterior.features(blobs[0]).shape == (60, 16)
    assert posterior.draw(7, seed=0).state["weights"].shape == (7, 4, 17)
    torch.testing.assert_close(acquisition.embed(posterior, blobs[0]), posterior.features(blobs[0]))


def test_larger_precision_is_less_disagreement(blobs):
    found = []
    for precision in (0.1, 10.0, 1000.0):
        posterior = acquisition.fit(
            "last_layer_laplace", blobs_network, blobs, epochs=30, prior_precision=precision
        )
        found.append(acquisition.score("bald", acquisition.predict(posterior, blobs[0])).mean().item())
    assert found[0] > found[1] > found[2] > 0


@pytest.mark.parametrize("precision", [None, "marginal_likelihood", 5.0])
def test_every_way_to_choose_the_precision_predicts_better_than_chance(precision, blobs):
    posterior = acquisition.fit(
        "last_layer_laplace", blobs_network, blobs, epochs=60, prior_precision=precision
    )
    assert posterior.precision > 0
    mean_N_C = acquisition.predict(posterior, blobs[0]).exp().mean(0)
    assert -mean_N_C.gather(1, blobs[1][:, None]).log().mean() < 0.5 * math.log(4)


def test_held_out_items_can_be_given(blobs):
    inputs, targets = blobs
    model = blobs_network().eval()
    first, second = ((inputs[rows], targets[rows]) for rows in (slice(40), slice(40, 60)))
    chosen = last_layer_laplace(model, first, held_out=second)
    shuffled = last_layer_laplace(model, first, held_out=(second[0], second[1].roll(1)))
    assert chosen.precision > 0
    assert shuffled.precision > 0
    assert (
        last_layer_laplace(model, blobs, seed=1).precision
        == last_layer_laplace(model, blobs, seed=1).precision
    )


def test_the_cut_network_with_the_layer_is_the_whole(model_name, make_model, make_items):
    model, inputs = make_model(model_name), make_items(model_name)
    found = cut(model, last_linear(model, inputs))
    check_cut(found, model, inputs, "classification")
    with torch.no_grad():
        parts = outputs(found.weights_C_P[None], found.trunk(inputs))[0]
        torch.testing.assert_close(parts.log_softmax(-1), model(inputs).log_softmax(-1), atol=1e-5, rtol=0)


def test_a_network_that_goes_on_after_its_last_layer_is_refused():
    data = torch.randn(9, 3), torch.arange(9) % 4
    with pytest.raises(acquisition.InvalidInput, match=r"not what its last nn\.Linear gives"):
        last_layer_laplace(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), data, prior_precision=1.0)
    labels = torch.randint(2, (9, 4))
    with pytest.raises(acquisition.InvalidInput, match=r"not what its last nn\.Linear gives"):
        last_layer_laplace(
            nn.Sequential(nn.Linear(3, 4), nn.LogSoftmax(-1)), (data[0], labels), prior_precision=1.0
        )


@pytest.mark.parametrize("head", [Homoscedastic, Heteroscedastic])
def test_numbers_keep_their_noise(head):
    inputs = normal(80, 2).float()
    targets = (inputs[:, 0] + 0.3 * normal(80, seed=1)).float()
    posterior = acquisition.fit(
        "last_layer_laplace", lambda: nn.Sequential(nn.Linear(2, 16), nn.Tanh(), head(16)), (inputs, targets),
        epochs=150, learning_rate=1e-2,
    )  # fmt: skip
    found = acquisition.predict(posterior, inputs)
    assert posterior.n_outputs == 2
    assert found.means_T_N.std(0).min() > 0
    assert found.log_variances_T_N.exp().mean().sqrt().item() == pytest.approx(0.3, abs=0.1)
    assert (found.log_variances_T_N.std(0).max() == 0) == (head is Homoscedastic)


def test_labels_that_do_not_exclude_each_other_work(blobs):
    inputs = blobs[0]
    targets = torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 2] > 0], 1).long()
    posterior = acquisition.fit(
        "last_layer_laplace", lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)),
        (inputs, targets), epochs=100, learning_rate=1e-2,
    )  # fmt: skip
    likely = acquisition.predict(posterior, inputs).exp().mean(0)[..., 1] > 0.5
    assert (likely == targets.bool()).float().mean() > 0.9


def test_too_many_weights_for_the_full_matrix_are_told(blobs):
    with pytest.raises(acquisition.InvalidOption, match="structure='kronecker'"):
        last_layer_laplace(
            nn.Linear(1100, 4), (torch.randn(8, 1100), torch.arange(8) % 4), prior_precision=1.0
        )
    wide = torch.randn(8, 1100)
    last_layer_laplace(
        nn.Linear(1100, 4), (wide, torch.arange(8) % 4), structure="kronecker", prior_precision=1.0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"structure": "banded"}, "structure is 'banded'"),
        ({"prior_precision": -1}, "prior_precision is -1"),
        ({"prior_precision": "evidence"}, "prior_precision is 'evidence'"),
    ],
)
def test_wrong_options_are_refused(options, message, blobs):
    with pytest.raises(acquisition.InvalidOption, match=message):
        acquisition.fit("last_layer_laplace", blobs_network, blobs, **options)


def test_a_model_without_a_last_linear_layer_is_refused():
    with pytest.raises(acquisition.InvalidInput, match=r"runs no nn\.Linear"):
        last_layer_laplace(
            nn.Conv1d(1, 2, 1), (torch.randn(4, 1, 1), torch.arange(4) % 2), prior_precision=1.0
        )
    with pytest.raises(acquisition.InvalidInput, match="Found 1 item"):
        last_layer_laplace(nn.Linear(2, 2), (torch.randn(1, 2), torch.zeros(1, dtype=torch.long)))


def test_data_that_are_no_pair_are_refused(blobs):
    with pytest.raises(acquisition.InvalidInput, match=r"pairs \(inputs, targets\)"):
        last_layer_laplace(blobs_network(), blobs[0])
    with pytest.raises(acquisition.InvalidInput, match="found str"):
        last_layer_laplace("model", blobs)


def test_the_model_of_the_user_stays_as_it_was(blobs):
    model = blobs_network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    acquisition.rank_pool(last_layer_laplace(model, blobs), blobs[0])
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
