"""Laws and known answers of the acquisition functions, without any network."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition

FUNCTIONS = sorted(acquisition.catalog()["functions"])
ON_PREDICTIONS = sorted(set(FUNCTIONS) - {"random"})
TABLES = st.tuples(
    st.integers(1, 6), st.integers(1, 5), st.integers(2, 6), st.integers(0, 10**6), st.floats(0, 30)
)


def table(T, N, C, seed, spread):
    logits = torch.randn(T, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (spread * logits).log_softmax(-1)


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
    torch.testing.assert_close(
        acquisition.score(name, shuffled), acquisition.score(name, log_probs_T_N_C), atol=1e-12, rtol=0
    )


@given(TABLES, st.sampled_from(ON_PREDICTIONS), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_item_is_scored_without_looking_at_the_others(shape, name, cut):
    log_probs_T_N_C = table(*shape)
    parts = [p for p in (log_probs_T_N_C[:, :cut], log_probs_T_N_C[:, cut:]) if p.shape[1]]
    apart = torch.cat([acquisition.score(name, part) for part in parts])
    torch.testing.assert_close(apart, acquisition.score(name, log_probs_T_N_C), atol=1e-12, rtol=0)


def test_one_network_has_nothing_to_disagree_with(log_probs_T_N_C):
    for log_probs in (log_probs_T_N_C, log_probs_T_N_C.float()):
        assert acquisition.score("bald", log_probs[:1]).max() < 5e-7


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scores_are_finite_and_not_negative_for_certain_networks_too(name):
    certain = torch.full((3, 4, 5), -torch.inf)
    certain[:, :, 1] = 0
    scores_N = acquisition.score(name, certain)
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
