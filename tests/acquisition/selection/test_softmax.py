import pytest
import torch
from scipy.stats import chisquare

import acquisition
from acquisition import Candidates

SCORES = torch.tensor([-1.0, 0.5, 0.0, 0.5])


def first_choices(beta, n=3000):
    given = Candidates(scores_N=SCORES)
    chosen = [acquisition.select("softmax", given, 1, seed=s, beta=beta).indices for s in range(n)]
    return torch.bincount(torch.cat(chosen), minlength=4)


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_the_first_choice_has_the_chance_of_a_softmax(beta):
    counts = first_choices(beta)
    assert chisquare(counts.numpy(), (3000 * (beta * SCORES.double()).softmax(0)).numpy()).pvalue > 0.001


def test_a_large_beta_is_top_k_and_ties_are_broken_at_random():
    given = Candidates(scores_N=SCORES)
    orders = {
        tuple(acquisition.select("softmax", given, 4, seed=s, beta=1e6).indices.tolist()) for s in range(30)
    }
    assert orders == {(1, 3, 2, 0), (3, 1, 2, 0)}


def test_only_differences_of_scores_count():
    scores_N = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = [
        acquisition.select("softmax", Candidates(scores_N=scores_N + shift), 20, seed=3).indices
        for shift in (0, -100)
    ]
    assert torch.equal(*batches)


def test_the_second_choice_is_drawn_from_what_the_first_left():
    given = Candidates(scores_N=SCORES)
    pairs = [acquisition.select("softmax", given, 2, seed=s, beta=1.0).indices for s in range(4000)]
    second = torch.stack([pair[1] for pair in pairs if pair[0] == 0])
    counts = torch.bincount(second, minlength=4)[1:]
    assert chisquare(counts.numpy(), (len(second) * SCORES[1:].double().softmax(0)).numpy()).pvalue > 0.001


def test_gains_are_the_scores_without_the_noise():
    indices, gains = acquisition.select("softmax", Candidates(scores_N=SCORES), 3)
    assert torch.equal(gains, SCORES[indices])


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_a_beta_out_of_range_is_refused(beta):
    with pytest.raises(acquisition.InvalidOption, match="beta is"):
        acquisition.select("softmax", Candidates(scores_N=SCORES), 1, beta=beta)
