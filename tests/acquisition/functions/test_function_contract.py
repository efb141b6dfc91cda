"""Laws and known answers of the acquisition functions, without any network."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition
from acquisition.catalog import needs

FUNCTIONS = sorted(n for n in acquisition.catalog()["functions"] if n != "predictive_variance")
ON_PREDICTIONS = sorted(set(FUNCTIONS) - {"random"})
TABLES = st.tuples(
    st.integers(1, 6), st.integers(1, 5), st.integers(2, 6), st.integers(0, 10**6), st.floats(0, 30)
)


def table(T, N, C, seed, spread):
    logits = torch.randn(T, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (spread * logits).log_softmax(-1)


def extras(name, log_probs_T_N_C):
    """What a function needs beside predictions: embeddings, labeled items, targets of the same networks."""
    seeded = torch.Generator().manual_seed(8)
    features_N_D = torch.randn(50, 3, generator=seeded, dtype=torch.float64)
    at_hand = {
        "features": features_N_D[: log_probs_T_N_C.shape[1]].to(log_probs_T_N_C.dtype),
        "labeled": torch.randn(7, 3, generator=seeded, dtype=torch.float64).to(log_probs_T_N_C.dtype),
        "targets": log_probs_T_N_C[:, :2],
    }
    return {need: at_hand[need] for need in needs("functions", name) if need in at_hand}


def of_probs(probs_T_C, dtype=torch.float64):
    return torch.tensor(probs_T_C, dtype=dtype).log()[:, None]


@pytest.mark.parametrize(
    ("probs_T_C", "expected"),
    [
        ([[1, 0], [0, 1]], math.log(2)),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], math.log(3)),
        ([[0.2, 0.8], [0.2, 0.8]], 0.0),
        ([[1, 0], [1, 0]], 0.0),
        ([[0.9, 0.1], [0.1, 0.9]], 0.36806420716849714),
    ],
)
def test_bald_gives_the_values_worked_out_by_hand(probs_T_C, expected):
    assert acquisition.score("bald", of_probs(probs_T_C)).item() == pytest.approx(expected, abs=1e-9)
    single = acquisition.score("bald", of_probs(probs_T_C, torch.float32))
    assert single.item() == pytest.approx(expected, abs=5e-7)


HAND = [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("predictive_entropy", -(0.3 * math.log(0.3) + 0.55 * math.log(0.55) + 0.15 * math.log(0.15))),
        ("least_confidence", 0.45),
        ("margin", 0.75),
        ("variation_ratios", 0.5),
        ("vote_entropy", math.log(2)),
        ("mean_std", (0.2 + 0.25 + 0.05) / 3),
        ("expected_entropy", (1.0296530140645737 + 0.639031859650177) / 2),
        ("pairwise_kl", (0.4 * math.log(5) + 0.5 * math.log(8 / 3) + 0.1 * math.log(2)) / 4),
    ],
)
def test_the_others_give_the_values_worked_out_by_hand(name, expected):
    assert acquisition.score(name, of_probs(HAND)).item() == pytest.approx(expected, abs=1e-12)


@given(TABLES)
@settings(max_examples=80, deadline=None)
def test_bald_lies_between_zero_and_each_of_its_bounds(shape):
    log_probs_T_N_C = table(*shape)
    T, _, C = log_probs_T_N_C.shape
    bald = acquisition.score("bald", log_probs_T_N_C)
    entropy = acquisition.score("predictive_entropy", log_probs_T_N_C)
    assert (bald >= 0).all()
    assert (bald <= entropy + 1e-12).all()
    assert (entropy <= math.log(C) + 1e-12).all()
    assert (bald <= math.log(T) + 1e-12).all()


@given(TABLES, st.sampled_from(ON_PREDICTIONS), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_networks_and_classes_does_not_matter(shape, name, random):
    log_probs_T_N_C = table(*shape)
    T, _, C = log_probs_T_N_C.shape
    shuffled = log_probs_T_N_C[random.sample(range(T), T)][:, :, random.sample(range(C), C)]
    plain = acquisition.score(name, log_probs_T_N_C, **extras(name, log_probs_T_N_C))
    mixed = acquisition.score(name, shuffled, **extras(name, shuffled))
    torch.testing.assert_close(mixed, plain, atol=1e-11, rtol=1e-12)


@given(TABLES, st.sampled_from(ON_PREDICTIONS), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_item_is_scored_without_looking_at_the_others(shape, name, cut):
    log_probs_T_N_C = table(*shape)
    given = extras(name, log_probs_T_N_C)
    parts = []
    for rows in (slice(None, cut), slice(cut, None)):
        own = {**given, "features": given["features"][rows]} if "features" in given else given
        parts.append(acquisition.score(name, log_probs_T_N_C[:, rows], **own))
    whole = acquisition.score(name, log_probs_T_N_C, **given)
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-11, rtol=1e-12)


def test_one_network_has_nothing_to_disagree_with(log_probs_T_N_C):
    for log_probs in (log_probs_T_N_C, log_probs_T_N_C.float()):
        assert acquisition.score("bald", log_probs[:1]).max() < 5e-7


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scores_are_finite_and_not_negative_for_certain_networks_too(name):
    certain = torch.full((3, 4, 5), -torch.inf)
    certain[:, :, 1] = 0
    scores_N = acquisition.score(name, certain, **extras(name, certain))
    assert scores_N.shape == (4,)
    assert scores_N.isfinite().all()
    assert (scores_N >= 0).all()
    assert scores_N.dtype == torch.float32


def test_bald_equals_that_of_baal(log_probs_T_N_C):
    from baal.active.heuristics import BALD

    for log_probs, tolerance in ((log_probs_T_N_C, 1e-12), (log_probs_T_N_C.float(), 2e-6)):
        theirs = BALD().compute_score(log_probs.exp().permute(1, 2, 0).numpy())
        ours = acquisition.score("bald", log_probs).numpy()
        np.testing.assert_allclose(ours, theirs, atol=tolerance)


def _dirichlet(concentration, n_samples, n_items, seed=0):
    with_seed = np.random.default_rng(seed)
    return torch.from_numpy(with_seed.dirichlet(concentration, (n_samples, n_items))).log()


def test_samples_of_a_dirichlet_give_its_mutual_information():
    score = acquisition.score("bald", _dirichlet([2, 1, 1], 4096, 40)).mean().item()
    assert score == pytest.approx(0.206387, abs=2e-3)


@pytest.mark.parametrize("T", [10, 20, 50])
def test_few_samples_score_low_by_the_known_bias(T):
    score = acquisition.score("bald", _dirichlet([2, 1, 1], T, 40_000)).mean().item()
    variance_over_mean = (0.05 / 0.5) + 2 * (0.0375 / 0.25)  # Var = m(1−m)/(a0+1), a0 = 4
    assert score - 0.206387 == pytest.approx(-variance_over_mean / (2 * T), rel=0.2)


@pytest.mark.parametrize(
    ("mean", "variance", "expected"), [(0, 1, 0.093709), (0, 3, 0.332610), (2, 1, 0.054164)]
)
def test_a_gaussian_logit_gives_the_value_of_quadrature(mean, variance, expected):
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    spread = variance if (mean, variance) == (0, 3) else math.sqrt(variance)
    p = torch.from_numpy(1 / (1 + np.exp(-(mean + spread * nodes))))
    weights = torch.from_numpy(weights / weights.sum())

    def entropy(p):
        return -(torch.special.xlogy(p, p) + torch.special.xlogy(1 - p, 1 - p))

    exact = (entropy((weights * p).sum()) - (weights * entropy(p)).sum()).item()
    normal = torch.randn(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = torch.sigmoid(mean + spread * normal)
    sampled = acquisition.score("bald", torch.stack([drawn, 1 - drawn], -1).log()[:, None])
    assert sampled.item() == pytest.approx(exact, abs=1.5e-3)
    assert exact == pytest.approx(expected, abs=2e-3)


def test_votes_that_tie_go_to_the_first_class():
    tie = of_probs([[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]])
    assert acquisition.score("variation_ratios", tie).item() == pytest.approx(1 / 3)


def test_random_scores_are_uniform_and_belong_to_seed_and_row():
    blank = torch.zeros(1, 10_000, 2).log_softmax(-1)
    first, again, other = (acquisition.score("random", blank, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.04
    assert first.mean().item() == pytest.approx(0.5, abs=0.01)
    assert torch.histc(first, 10, 0, 1).min() > 900
    assert len(first.unique()) > 9_900


def test_function_options_are_checked(log_probs_T_N_C):
    with pytest.raises(acquisition.InvalidOption, match=r"'bald' takes no option 'beta'\. It takes none\."):
        acquisition.score("bald", log_probs_T_N_C, beta=2)
    with pytest.raises(acquisition.InvalidOption, match="Did you mean 'seed'"):
        acquisition.score("random", log_probs_T_N_C, sed=2)


@given(TABLES)
@settings(max_examples=40, deadline=None)
def test_committee_kl_is_bald_and_pairwise_kl_at_least_that(shape):
    log_probs_T_N_C = table(*shape)
    bald, consensus, pairwise = (
        acquisition.score(name, log_probs_T_N_C) for name in ("bald", "committee_kl", "pairwise_kl")
    )
    torch.testing.assert_close(consensus, bald, atol=1e-11, rtol=0)
    assert (pairwise >= bald - 1e-11).all()


def test_pairwise_kl_is_the_mean_over_all_pairs(log_probs_T_N_C):
    T = len(log_probs_T_N_C)
    pairs = [
        (log_probs_T_N_C[s].exp() * (log_probs_T_N_C[s] - log_probs_T_N_C[t])).sum(-1)
        for s in range(T)
        for t in range(T)
    ]
    torch.testing.assert_close(acquisition.score("pairwise_kl", log_probs_T_N_C), sum(pairs) / T**2)


def test_expected_model_change_is_the_expected_norm_of_the_gradient():
    from torch.func import grad

    seeded = torch.Generator().manual_seed(2)
    weight, hidden = (
        torch.randn(4, 6, generator=seeded).double(),
        torch.randn(9, 5, generator=seeded).double(),
    )
    with_one = torch.cat([hidden, torch.ones(9, 1)], 1)
    log_probs_N_C = (with_one @ weight.T).log_softmax(-1)

    def loss(weight, item, label):
        return -(weight @ item).log_softmax(-1)[label]

    expected = torch.stack(
        [
            sum(p.exp() * grad(loss)(weight, item, label).norm() for label, p in enumerate(log_probs))
            for item, log_probs in zip(with_one, log_probs_N_C, strict=True)
        ]
    )
    found = acquisition.score("expected_model_change", log_probs_N_C[None], features=hidden)
    torch.testing.assert_close(found, expected)


def test_variance_of_a_number_is_that_of_the_mixture():
    seeded = torch.Generator().manual_seed(3)
    means_T_N = torch.randn(6, 5, generator=seeded).double()
    log_variances_T_N = torch.randn(6, 5, generator=seeded).double()
    found = acquisition.Gaussians(means_T_N, log_variances_T_N)
    network = torch.randint(6, (400_000,), generator=seeded)
    normal = torch.randn(400_000, 1, generator=seeded, dtype=torch.float64)
    drawn = means_T_N[network] + (0.5 * log_variances_T_N[network]).exp() * normal
    total, epistemic, aleatoric = (
        acquisition.score("predictive_variance", found, part=part)
        for part in ("total", "epistemic", "aleatoric")
    )
    torch.testing.assert_close(total, drawn.var(0), rtol=0.01, atol=0)
    torch.testing.assert_close(total, epistemic + aleatoric)
    torch.testing.assert_close(epistemic, means_T_N.var(0, correction=0))
    with pytest.raises(acquisition.InvalidOption, match="part is 'all'"):
        acquisition.score("predictive_variance", found, part="all")


def test_distance_is_that_to_the_kth_nearest_labeled_item():
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    labeled = torch.tensor([[0.0, 1.0], [0.0, -3.0]])
    blank = torch.zeros(1, 2, 2).log_softmax(-1)
    given = {"features": features, "labeled": labeled}
    first = acquisition.score("ood_distance", blank, **given)
    second = acquisition.score("ood_distance", blank, neighbours=2, **given)
    assert first.tolist() == pytest.approx([1, math.sqrt(18)])
    assert second.tolist() == pytest.approx([3, math.sqrt(58)])
    cosine = acquisition.score(
        "ood_distance", blank[:, :1], metric="cosine", features=features[1:], labeled=labeled
    )
    assert cosine.item() == pytest.approx(1 - 0.8)


def test_distance_needs_something_labeled(log_probs_T_N_C):
    features = torch.zeros(log_probs_T_N_C.shape[1], 2)
    with pytest.raises(acquisition.InvalidOption, match="give labeled="):
        acquisition.score("ood_distance", log_probs_T_N_C, features=features)
    with pytest.raises(acquisition.InvalidOption, match="only 1 items are labeled"):
        acquisition.score(
            "ood_distance", log_probs_T_N_C, features=features, labeled=features[:1], neighbours=2
        )
    with pytest.raises(acquisition.InvalidInput, match="give features=features_N_D"):
        acquisition.score("ood_distance", log_probs_T_N_C, labeled=features)


def test_far_from_the_data_distance_sees_what_networks_do_not():
    seeded = torch.Generator().manual_seed(4)
    inside = torch.randn(200, 2, generator=seeded)
    ring = 20 * torch.nn.functional.normalize(torch.randn(200, 2, generator=seeded))
    labeled = torch.randn(100, 2, generator=seeded)
    pool = torch.cat([inside, ring])
    scores_N = acquisition.score(
        "ood_distance", torch.zeros(1, 400, 2).log_softmax(-1), features=pool, labeled=labeled
    )
    assert scores_N[200:].min() > scores_N[:200].max()


def test_entropy_and_margin_order_items_as_baal_does(log_probs_T_N_C):
    from baal.active.heuristics import Certainty, Entropy, Margin

    probs = log_probs_T_N_C.exp().permute(1, 2, 0).numpy()
    theirs = {
        "predictive_entropy": Entropy().compute_score(probs),
        "margin": 1 - Margin().compute_score(probs),
        "least_confidence": 1 - Certainty().compute_score(probs),
    }
    for name, expected in theirs.items():
        np.testing.assert_allclose(acquisition.score(name, log_probs_T_N_C).numpy(), expected, atol=1e-12)
