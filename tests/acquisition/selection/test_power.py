import pytest
import torch

import acquisition
from acquisition import Candidates

SCORES = torch.tensor([0.1, 0.2, 0.0, 0.7])


def first_choices(beta, n=4000):
    chosen = [
        acquisition.select("power", Candidates(scores_N=SCORES), 1, seed=s, beta=beta)[0] for s in range(n)
    ]
    return torch.bincount(torch.cat(chosen), minlength=4) / n


def test_the_first_choice_has_a_chance_that_grows_with_the_score():
    torch.testing.assert_close(first_choices(1.0), SCORES, atol=0.03, rtol=0)


def test_beta_of_zero_is_uniform_and_a_large_beta_is_top_k():
    torch.testing.assert_close(first_choices(0.0), torch.full((4,), 0.25), atol=0.03, rtol=0)
    sharp = acquisition.select("power", Candidates(scores_N=SCORES), 4, beta=1e4)
    assert (
        sharp.indices.tolist() == acquisition.select("top_k", Candidates(scores_N=SCORES), 4).indices.tolist()
    )


def test_items_without_score_come_last_in_a_random_order():
    scores_N = torch.tensor([0.0, 1e-12, 0.0, 0.0])
    orders = [
        acquisition.select("power", Candidates(scores_N=scores_N), 4, seed=s).indices for s in range(20)
    ]
    assert all(order[0] == 1 for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) > 2


def test_gains_are_the_scores_without_the_noise():
    indices, gains = acquisition.select("power", Candidates(scores_N=SCORES), 3)
    assert torch.equal(gains, SCORES[indices])


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_a_beta_out_of_range_is_refused(beta):
    with pytest.raises(acquisition.InvalidOption, match="beta is"):
        acquisition.select("power", Candidates(scores_N=SCORES), 1, beta=beta)


def test_negative_scores_are_refused():
    with pytest.raises(acquisition.InvalidInput, match="at least 0"):
        acquisition.select("power", Candidates(scores_N=SCORES - 1), 1)
