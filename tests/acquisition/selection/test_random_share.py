import pytest
import torch
from scipy.stats import chisquare

import acquisition
from acquisition import Candidates

SCORES = torch.linspace(0, 1, 20)


def batch(size=10, seed=0, given=None, **options):
    return acquisition.select(
        "random_share", Candidates(scores_N=SCORES) if given is None else given, size, seed=seed, **options
    )


def test_random_ones_have_their_chance_recorded_and_chosen_ones_none():
    chosen = batch(share=0.3, inner="top_k")
    drawn = ~chosen.propensities.isnan()
    assert int(drawn.sum()) == 3
    assert chosen.propensities[drawn].tolist() == pytest.approx([3 / 20] * 3)
    left = torch.ones(20, dtype=torch.bool)
    left[chosen.indices[drawn]] = False
    best_left = left.nonzero().flatten().flip(0)[:7]
    assert torch.equal(chosen.indices[~drawn], best_left)
    assert torch.equal(chosen.gains[~drawn], SCORES[best_left])
    assert (chosen.gains[drawn] == 0).all()


def test_every_candidate_is_drawn_with_the_recorded_chance_also_the_best():
    counts = torch.zeros(20)
    for seed in range(2000):
        chosen = batch(5, seed, share=0.4, inner="top_k")
        counts[chosen.indices[~chosen.propensities.isnan()]] += 1
    assert counts.sum() == 2000 * 2
    assert chisquare(counts.numpy()).pvalue > 0.001


def test_a_fraction_is_rounded_at_random_and_right_on_average():
    sizes = torch.tensor(
        [int((~batch(5, seed, share=0.25).propensities.isnan()).sum()) for seed in range(1000)]
    )
    assert set(sizes.tolist()) == {1, 2}
    assert sizes.double().mean().item() == pytest.approx(1.25, abs=0.05)


def test_a_random_one_is_never_first_unless_alone():
    orders = [batch(6, seed, share=0.5).propensities.isnan() for seed in range(200)]
    assert all(bool(order[0]) for order in orders)
    assert torch.stack(orders).double().mean(0)[1:].min() > 0.25
    assert not batch(4, share=1.0).propensities.isnan().any()


def test_no_share_is_the_inner_selector_alone():
    chosen = batch(share=0.0, inner="top_k")
    assert torch.equal(chosen.indices, SCORES.topk(10).indices)
    assert chosen.propensities.isnan().all()


def test_the_inner_selector_gets_its_options_and_what_it_needs(log_probs_T_N_C):
    scored = batch(10, given=log_probs_T_N_C, share=0.2, inner="power", inner_options={"beta": 1e6})
    bald = acquisition.score("bald", log_probs_T_N_C)
    wanted = scored.indices[scored.propensities.isnan()]
    assert torch.equal(bald[wanted].sort(descending=True).values, bald[wanted])
    features = Candidates(features_N_D=torch.randn(20, 3, generator=torch.Generator().manual_seed(0)))
    assert len(batch(5, given=features, share=0.4, inner="kmeans").indices) == 5
    with pytest.raises(acquisition.InvalidInput, match="'random_share' needs features"):
        batch(5, inner="kmeans")


def test_a_wrapper_of_a_wrapper_needs_what_the_innermost_needs():
    nested = {"inner": "random_share", "inner_options": {"inner": "kmeans"}}
    with pytest.raises(acquisition.InvalidInput, match="needs features"):
        batch(5, **nested)


def test_the_whole_pool_may_be_asked_for():
    assert sorted(batch(20, share=0.5).indices.tolist()) == list(range(20))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_no_part_is_refused(share):
    with pytest.raises(acquisition.InvalidOption, match="share is"):
        batch(share=share)


def test_the_inner_selector_is_checked_at_once():
    with pytest.raises(acquisition.UnknownMethod, match="Did you mean 'top_k'"):
        batch(inner="topk")
    with pytest.raises(acquisition.InvalidOption, match="Did you mean 'beta'"):
        batch(inner="power", inner_options={"bta": 1})
