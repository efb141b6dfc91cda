from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import acquisition
from acquisition import Candidates
from acquisition.selection.gumbel import drawn, proposals

BETAS = [0.5, 1.0, 4.0]


def test_draws_are_without_replacement_and_in_the_order_of_drawing():
    weights_N = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    pairs = torch.stack([drawn(weights_N.log(), 2, seed) for seed in range(6000)])
    chances = {
        (i, j): float(weights_N[i] / 10 * weights_N[j] / (10 - weights_N[i]))
        for i in range(4)
        for j in range(4)
        if i != j
    }
    counts = [int(((pairs[:, 0] == i) & (pairs[:, 1] == j)).sum()) for i, j in chances]
    assert sum(counts) == 6000
    assert chisquare(counts, [6000 * chance for chance in chances.values()]).pvalue > 0.001


def test_a_batch_says_the_chance_of_each_draw_given_those_before_it():
    """Against all orders of a small pool: how often each was drawn, and chances that multiply to its own."""
    scores_N = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    weights_N = scores_N**2
    given = Candidates(scores_N=scores_N)
    batches = [acquisition.select("power", given, 3, seed=seed, beta=2.0) for seed in range(6000)]
    counts = Counter(tuple(batch.indices.tolist()) for batch in batches)
    told = {tuple(batch.indices.tolist()): float(batch.proposals.prod()) for batch in batches}
    chances = {order: _chance(weights_N.tolist(), order) for order in permutations(range(4), 3)}
    assert {order: chances[order] for order in told} == pytest.approx(told)
    expected = [6000 * chance for chance in chances.values()]
    assert chisquare([counts[order] for order in chances], expected).pvalue > 0.001


def _chance(weights, order):
    left, chance = sum(weights), 1.0
    for index in order:
        chance, left = chance * weights[index] / left, left - weights[index]
    return chance


def test_a_small_weight_is_not_lost_beside_a_large_one():
    log_weights_N = torch.tensor([1e-20, 1.0, 1e-20], dtype=torch.float64).log()
    torch.testing.assert_close(
        proposals(log_weights_N, torch.tensor([1, 0, 2])), torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64)
    )


@pytest.mark.parametrize("selector", ["power", "softmax", "soft_rank"])
def test_an_even_pool_is_drawn_from_evenly(selector):
    chosen = acquisition.select(selector, Candidates(scores_N=torch.full((5,), 0.3)), 3)
    assert chosen.proposals.tolist() == pytest.approx([1 / 5, 1 / 4, 1 / 3])


def test_a_selector_that_draws_nothing_tells_no_chances():
    assert acquisition.select("top_k", Candidates(scores_N=torch.rand(5)), 3).proposals is None


def test_a_weight_of_zero_is_drawn_last():
    log_weights_N = torch.tensor([-torch.inf, 0.0, 1.0])
    assert all(int(drawn(log_weights_N, 3, seed)[2]) == 0 for seed in range(50))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize(
    ("selector", "of_baal"),
    [("power", "PowerSampling"), ("softmax", "GibbsSampling"), ("soft_rank", "RankBasedSampling")],
)
def test_the_chances_are_those_of_baal(selector, of_baal, beta):
    """With the same noise on the logarithm of baal's distribution the batch is the same."""
    from baal.active.heuristics import BALD, stochastics

    scores = np.random.default_rng(0).gamma(2.0, 0.2, 200).round(2) + 0.01
    heuristic = getattr(stochastics, of_baal)(BALD(), query_size=50, temperature=1 / beta)
    distribution = torch.from_numpy(heuristic._make_distribution(scores.copy()))
    for seed in range(5):
        ours = acquisition.select(
            selector, Candidates(scores_N=torch.from_numpy(scores)), 50, seed=seed, beta=beta
        )
        assert torch.equal(ours.indices, drawn(distribution.log(), 50, seed))


@pytest.mark.parametrize("selector", ["power", "softmax", "soft_rank"])
def test_as_beta_grows_the_batch_becomes_top_k(selector):
    scores_N = torch.rand(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given = Candidates(scores_N=scores_N)
    best = set(scores_N.topk(10).indices.tolist())

    def shared(beta):
        batches = [acquisition.select(selector, given, 10, seed=s, beta=beta) for s in range(40)]
        return np.mean([len(best & set(batch.indices.tolist())) for batch in batches])

    found = [shared(beta) for beta in (0.0, 3.0, 30.0, 1e9)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(10 * 10 / 60, abs=0.8)
    assert found[-1] == 10


@pytest.mark.parametrize("selector", ["power", "softmax", "soft_rank"])
def test_beta_of_zero_is_a_uniform_draw(selector):
    given = Candidates(scores_N=torch.linspace(0, 5, 8))
    chosen = torch.cat(
        [acquisition.select(selector, given, 3, seed=s, beta=0.0).indices for s in range(1500)]
    )
    assert chisquare(torch.bincount(chosen, minlength=8).numpy()).pvalue > 0.001
