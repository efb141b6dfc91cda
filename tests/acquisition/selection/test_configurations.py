import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import chisquare

from acquisition.selection.configurations import (
    _spread_labels,
    conditional_entropy,
    extended,
    sampled,
    unlabeled,
)


def table(T, N, C, seed=0, spread=2.0):
    logits = torch.randn(T, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (spread * logits).log_softmax(-1)


def every(log_probs_T_K_C, limit=10_000):
    known = unlabeled(len(log_probs_T_K_C), torch.device("cpu"))
    for item in range(log_probs_T_K_C.shape[1]):
        known = extended(known, log_probs_T_K_C[:, item], limit)
    return known


def test_a_configuration_is_bayes_rule():
    log_probs_T_K_C = table(4, 1, 3)
    known = every(log_probs_T_K_C)
    probs_T_C = log_probs_T_K_C[:, 0].exp()
    torch.testing.assert_close(known.weights_M.double(), probs_T_C.mean(0), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        known.posteriors_M_T.double(), (probs_T_C / probs_T_C.sum(0)).T, atol=1e-6, rtol=0
    )


def test_all_configurations_of_three_items_are_listed_once():
    known = every(table(5, 3, 3, spread=1.0))
    assert len(known) == 27
    assert float(known.weights_M.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(
        known.weights_M @ known.posteriors_M_T, torch.full((5,), 0.2), atol=1e-6, rtol=0
    )


def test_more_than_the_limit_are_not_listed():
    assert every(table(5, 2, 3, spread=1.0), limit=9) is not None
    assert every(table(5, 3, 3, spread=1.0), limit=26) is None


def test_labels_that_no_network_gives_are_left_out():
    certain = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).double().log()[:, None].repeat(1, 4, 1)
    assert len(every(certain)) == 2


def test_drawn_configurations_have_the_chances_of_all():
    log_probs_T_K_C = table(4, 2, 3, spread=1.0)
    known = sampled(log_probs_T_K_C, 8000, torch.Generator().manual_seed(0))
    assert len(known) == 8000
    assert float(known.weights_M.sum()) == pytest.approx(1, abs=1e-5)
    listed = every(log_probs_T_K_C)
    nearest_M = torch.cdist(known.posteriors_M_T, listed.posteriors_M_T).argmin(1)
    found = torch.bincount(nearest_M, known.weights_M, minlength=9)
    torch.testing.assert_close(found, listed.weights_M, atol=0.01, rtol=0)


def test_the_mean_posterior_of_drawn_configurations_is_the_prior():
    known = sampled(table(10, 6, 3), 4000, torch.Generator().manual_seed(0))
    plain_T = known.posteriors_M_T.mean(0)
    balanced_T = known.weights_M @ known.posteriors_M_T
    assert (plain_T - 0.1).abs().max() > 1e-4
    assert (balanced_T - 0.1).abs().max() < 0.02 * (plain_T - 0.1).abs().max()


def test_balanced_weights_cut_the_noise_of_what_tells_items_apart():
    log_probs_T_N_C = table(10, 40, 3, spread=1.5)
    rows, rng = torch.arange(40), torch.Generator().manual_seed(0)
    exact = conditional_entropy(every(log_probs_T_N_C[:, :6]), log_probs_T_N_C, rows)
    errors = {"balanced": [], "plain": []}
    for _ in range(30):
        known = sampled(log_probs_T_N_C[:, :6], 400, rng)
        plain = replace(known, weights_M=torch.full_like(known.weights_M, 1 / len(known)))
        for name, configurations in (("balanced", known), ("plain", plain)):
            error = conditional_entropy(configurations, log_probs_T_N_C, rows) - exact
            errors[name].append(error - error.mean())
    spread = {name: torch.stack(found).square().mean().sqrt() for name, found in errors.items()}
    assert spread["balanced"] < 0.7 * spread["plain"]


def test_labels_are_spread_evenly_over_each_network():
    log_probs_T_C = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    labels = _spread_labels(log_probs_T_C, 8, torch.Generator().manual_seed(0)).view(2, 8)
    assert (labels == 0).sum(1).tolist() == [2, 4]


def test_two_items_are_spread_independently():
    even_T_C, rng = torch.full((1, 2), 0.5).log(), torch.Generator().manual_seed(0)
    pairs = torch.cat(
        [2 * _spread_labels(even_T_C, 2, rng) + _spread_labels(even_T_C, 2, rng) for _ in range(500)]
    )
    assert chisquare(torch.bincount(pairs[::2], minlength=4).numpy()).pvalue > 0.001


def test_a_label_of_probability_zero_is_never_drawn():
    log_probs_T_K_C = torch.tensor([[0.0, 0.5, 0.5, 0.0]]).log()[:, None].repeat(3, 1, 1)
    known = sampled(log_probs_T_K_C, 3000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(known.posteriors_M_T, torch.full((3000, 3), 1 / 3))


def test_fewer_draws_than_networks_still_give_each_one():
    assert len(sampled(table(7, 2, 3), 3, torch.Generator())) == 7


def test_known_labels_leave_the_entropy_of_the_posterior():
    log_probs_T_N_C = table(4, 30, 3)
    known = every(log_probs_T_N_C[:, :2])
    found = conditional_entropy(known, log_probs_T_N_C, torch.arange(30))
    predicted = torch.einsum("mt,tnc->mnc", known.posteriors_M_T.double(), log_probs_T_N_C.exp())
    expected = -(known.weights_M.double()[:, None, None] * torch.special.xlogy(predicted, predicted)).sum(
        (0, 2)
    )
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=0)
    assert (found <= math.log(3) + 1e-6).all()
