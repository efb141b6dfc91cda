import pytest
import torch
from scipy.stats import chisquare, rankdata

import acquisition
from acquisition import Candidates
from acquisition.selection.soft_rank import ranks

SCORES = torch.tensor([-3.0, 0.2, 10.0, 0.1])
RANKS = torch.tensor([4.0, 2.0, 1.0, 3.0], dtype=torch.float64)


def first_choices(scores_N, beta, n=3000):
    given = Candidates(scores_N=scores_N)
    chosen = [acquisition.select("soft_rank", given, 1, seed=s, beta=beta).indices for s in range(n)]
    return torch.bincount(torch.cat(chosen), minlength=4)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_the_first_choice_has_a_chance_that_falls_with_the_rank(beta):
    weights = RANKS**-beta
    counts = first_choices(SCORES, beta)
    assert chisquare(counts.numpy(), (3000 * weights / weights.sum()).numpy()).pvalue > 0.001


def test_the_scale_of_scores_does_not_count():
    stretched = torch.exp(3 * SCORES.double()) - 7
    batches = [
        acquisition.select("soft_rank", Candidates(scores_N=scores_N), 3, seed=4).indices
        for scores_N in (SCORES, stretched)
    ]
    assert torch.equal(*batches)


def test_a_large_beta_is_top_k():
    scores_N = torch.randn(40, generator=torch.Generator().manual_seed(0))
    sharp = acquisition.select("soft_rank", Candidates(scores_N=scores_N), 40, beta=1e9)
    assert torch.equal(sharp.indices, scores_N.argsort(descending=True))


def test_equal_scores_have_equal_chances_wherever_they_stand():
    counts = first_choices(torch.tensor([1.0, 1.0, 1.0, 1.0]), 3.0)
    assert chisquare(counts.numpy()).pvalue > 0.001


def test_ranks_are_those_of_scipy():
    scores_N = torch.randint(6, (30,), generator=torch.Generator().manual_seed(1)).float()
    assert ranks(scores_N).tolist() == rankdata(-scores_N.numpy()).tolist()


def test_gains_are_the_scores_without_the_noise():
    indices, gains = acquisition.select("soft_rank", Candidates(scores_N=SCORES), 3)
    assert torch.equal(gains, SCORES[indices])


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_a_beta_out_of_range_is_refused(beta):
    with pytest.raises(acquisition.InvalidOption, match="beta is"):
        acquisition.select("soft_rank", Candidates(scores_N=SCORES), 1, beta=beta)
