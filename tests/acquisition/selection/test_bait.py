import pytest
import torch

import acquisition
from acquisition import Candidates
from acquisition.selection import bait
from acquisition.selection.bait import principal_directions
from acquisition.selection.fisher import binary_roots, quadratic, softmax_roots, total_information


def pool(n_items, seed, n_classes=3, n_features=4, n_labeled=0):
    """A linear layer's own predictions of its inputs."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(n_features + 1, n_classes, generator=generator, dtype=torch.float64)
    features = torch.randn(n_items + n_labeled, n_features, generator=generator, dtype=torch.float64)
    log_probs = (features @ weights[:-1] + weights[-1]).log_softmax(-1)
    given = Candidates(
        features_N_D=features[:n_items],
        labeled_M_D=features[n_items:],
        log_probs_T_N_C=log_probs[None, :n_items],
    )
    return given, log_probs.exp(), features


def informations(probs_N_C, features_N_D):
    """I(x) as dense matrices: the second derivative of ln Σ exp(weights φ), which is that of the loss."""
    tables = []
    for probs_C, features_D in zip(probs_N_C, features_N_D, strict=True):
        by_class = torch.diag(probs_C) - torch.outer(probs_C, probs_C)
        tables.append(torch.kron(by_class, torch.outer(features_D, features_D)))
    return torch.stack(tables)


def trace(information, pool_information):
    return torch.linalg.solve(information, pool_information).trace().item()


def by_hand(informations_N, start, batch_size, n_forward):
    """Both greedy passes, each step by trying everybody with dense inverses."""
    everybody, total, chosen, gains = informations_N.mean(0), start.clone(), [], []
    for _ in range(n_forward):
        left = {n: trace(total + i, everybody) for n, i in enumerate(informations_N) if n not in chosen}
        best = min(left, key=left.get)
        gains.append(trace(total, everybody) - left[best])
        total = total + informations_N[best]
        chosen.append(best)
    worth = dict(zip(chosen, gains, strict=True))
    while len(worth) > batch_size:
        left = {n: trace(total - informations_N[n], everybody) for n in worth}
        least = min(left, key=left.get)
        total = total - informations_N[least]
        del worth[least]
    return list(worth), list(worth.values())


@pytest.mark.parametrize("look", [3, 512])
@pytest.mark.parametrize("n_labeled", [0, 8])
@pytest.mark.parametrize("prior", [1.0, 0.01])
def test_both_greedy_passes_are_those_of_dense_matrices(monkeypatch, look, n_labeled, prior):
    monkeypatch.setattr(bait, "LOOK", look)
    for seed in range(3):
        given, probs, features = pool(30, seed, n_labeled=n_labeled)
        tables = informations(probs, features.float().double())
        start = prior * torch.eye(12, dtype=torch.float64) + tables[30:].sum(0)
        chosen = acquisition.select("bait", given, 5, prior=prior, dimensions=None)
        indices, gains = by_hand(tables[:30], start, 5, 10)
        assert chosen.indices.tolist() == indices
        assert chosen.gains.tolist() == pytest.approx(gains, rel=1e-4)


def test_without_oversampling_gains_are_the_falls_of_the_trace():
    given, probs, features = pool(20, 5)
    tables = informations(probs, features.float().double())
    indices, gains = acquisition.select("bait", given, 6, oversampling=1.0)
    before = trace(torch.eye(12, dtype=torch.float64), tables.mean(0))
    after = trace(torch.eye(12, dtype=torch.float64) + tables[indices].sum(0), tables.mean(0))
    assert gains.sum().item() == pytest.approx(before - after, rel=1e-6)


def test_labels_count_as_a_mean_where_that_is_asked_for():
    given, probs, features = pool(25, 2, n_labeled=10)
    tables = informations(probs, features.float().double())
    start = torch.eye(12, dtype=torch.float64) + tables[25:].mean(0)
    chosen = acquisition.select("bait", given, 4, labeled="mean")
    assert chosen.indices.tolist() == by_hand(tables[:25], start, 4, 8)[0]


def test_the_binary_form_is_that_of_a_logistic_regression():
    given, probs, features = pool(30, 3)
    surest_N = probs.amax(1)
    outer = features.float().double()[:, :, None] * features.float().double()[:, None]
    tables = (surest_N * (1 - surest_N))[:, None, None] * outer
    chosen = acquisition.select("bait", given, 5, fisher="binary")
    assert chosen.indices.tolist() == by_hand(tables, torch.eye(4, dtype=torch.float64), 5, 10)[0]


def test_many_classes_take_the_binary_form_by_themselves():
    given, _, _ = pool(30, 4, n_classes=17)
    by_itself, binary, softmax = (
        acquisition.select("bait", given, 6, fisher=form).indices for form in ("auto", "binary", "softmax")
    )
    assert torch.equal(by_itself, binary)
    assert not torch.equal(by_itself, softmax)


def test_a_projection_that_loses_nothing_changes_nothing():
    given, _, _ = pool(30, 6)
    wide = torch.linalg.qr(torch.randn(9, 9, generator=torch.Generator().manual_seed(0))).Q[:, :4]
    turned = Candidates(
        features_N_D=given.features_N_D.float() @ wide.T, log_probs_T_N_C=given.log_probs_T_N_C
    )
    narrow = Candidates(features_N_D=given.features_N_D, log_probs_T_N_C=given.log_probs_T_N_C)
    expected = acquisition.select("bait", narrow, 6)
    projected = acquisition.select("bait", turned, 6, dimensions=4)
    assert projected.indices.tolist() == expected.indices.tolist()
    torch.testing.assert_close(projected.gains, expected.gains, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_the_directions_of_a_projection_are_those_of_a_singular_value_decomposition(shape):
    features_N_D = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 1
    basis = principal_directions(features_N_D, 3)
    expected = torch.linalg.svd(features_N_D).Vh[:3].T
    torch.testing.assert_close(basis @ basis.T, expected @ expected.T)


@pytest.mark.parametrize("roots_of", [softmax_roots, binary_roots])
def test_sums_and_products_through_roots_are_those_of_dense_matrices(roots_of):
    _, probs, features = pool(12, 7)
    roots = roots_of(probs, features)
    dense_N_R_K = torch.stack([roots.one(row) for row in range(12)])
    torch.testing.assert_close(total_information(roots), (dense_N_R_K.mT @ dense_N_R_K).sum(0))
    if roots_of is softmax_roots:
        torch.testing.assert_close(dense_N_R_K.mT @ dense_N_R_K, informations(probs, features))
    matrix = torch.randn(dense_N_R_K.shape[2], dense_N_R_K.shape[2], dtype=torch.float64)
    whole = dense_N_R_K @ matrix @ dense_N_R_K.mT
    classes = roots.classes_N_R_C
    torch.testing.assert_close(classes @ quadratic(roots, matrix) @ classes.mT, whole)
    torch.testing.assert_close(roots.traces(quadratic(roots, matrix)), whole.diagonal(dim1=1, dim2=2).sum(1))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"dimensions": 0}, "dimensions is"),
        ({"fisher": "diagonal"}, "fisher is .*; one of auto, softmax, binary"),
        ({"labeled": "no"}, "labeled is"),
        ({"prior": 0.0}, "prior is"),
        ({"oversampling": 0.9}, "oversampling is"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.select("bait", pool(5, 0)[0], 1, **options)
