import pytest
import torch
from torch import nn

import acquisition
from acquisition.racing import race_pool
from acquisition.randomness import forked


@pytest.fixture(scope="module")
def posterior():
    with forked(2):
        return acquisition.mc_dropout(
            nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 4))
        )


@pytest.fixture(scope="module")
def pool():
    return 2 * torch.randn(3000, 6, generator=torch.Generator().manual_seed(0))


def test_a_race_of_all_items_is_the_ranking(posterior, pool):
    raced = race_pool(posterior, pool[:200].split(70), n_samples=50, first=5, keep=20, seed=3)
    ranked = acquisition.rank_pool(posterior, pool[:200], n_samples=50, keep=20, seed=3)
    assert (raced.recall, raced.n_contenders, raced.ranked.n_items) == (1.0, 200, 200)
    assert torch.equal(raced.ranked.indices, ranked.indices)
    torch.testing.assert_close(raced.ranked.scores, ranked.scores, atol=1e-6, rtol=0)


def test_winners_have_the_scores_of_all_networks(posterior, pool):
    raced = race_pool(posterior, pool, n_samples=60, first=10, keep=30, contenders=4)
    scores = torch.cat([chunk.scores_N for chunk in acquisition.score_pool(posterior, pool, n_samples=60)])
    torch.testing.assert_close(scores[raced.ranked.indices], raced.ranked.scores, atol=1e-6, rtol=0)
    assert raced.n_contenders == 120
    assert len(set(raced.ranked.indices.tolist())) == 30


def test_the_estimate_of_the_recall_is_near_the_recall(posterior, pool):
    differences, found = [], []
    for seed in range(6):
        for contenders in (2, 4):
            raced = race_pool(
                posterior, pool, n_samples=200, first=10, keep=50, contenders=contenders, seed=seed
            )
            best = acquisition.rank_pool(posterior, pool, n_samples=200, keep=50, seed=seed)
            recall = len({*raced.ranked.indices.tolist()} & {*best.indices.tolist()}) / 50
            differences.append(raced.recall - recall)
            found.append(recall)
    assert min(found) < 0.97
    assert abs(sum(differences) / len(differences)) < 0.05
    assert max(map(abs, differences)) < 0.2


def test_a_race_finds_more_of_the_truth_than_the_first_networks_alone(posterior, pool):
    truth = {*acquisition.rank_pool(posterior, pool, n_samples=2000, keep=50, seed=77).indices.tolist()}
    raced = race_pool(posterior, pool, n_samples=400, first=20, keep=50)
    first = acquisition.rank_pool(posterior, pool, n_samples=20, keep=50)
    few, many = (len(truth & {*r.indices.tolist()}) / 50 for r in (first, raced.ranked))
    assert many > few + 0.1


def test_items_of_several_lengths_race_together(make_model):
    posterior = acquisition.mc_dropout(make_model("encoder"))
    batches = [
        torch.randn(9, length, 8, generator=torch.Generator().manual_seed(length)) for length in (3, 5, 3)
    ]
    raced = race_pool(posterior, batches, n_samples=12, first=4, keep=8, contenders=2)
    scores = torch.cat([c.scores_N for c in acquisition.score_pool(posterior, batches, n_samples=12)])
    torch.testing.assert_close(scores[raced.ranked.indices], raced.ranked.scores, atol=1e-6, rtol=0)
    assert (raced.ranked.scores.diff() <= 0).all()


def test_an_empty_pool_has_no_winners(posterior):
    raced = race_pool(posterior, [])
    assert (raced.ranked.n_items, raced.n_contenders, raced.recall) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"first": 30, "n_samples": 20}, "first is 30, more than n_samples, 20"),
        ({"contenders": 0}, "contenders is 0"),
        ({"keep": 0}, "keep is 0"),
        ({"function": "random"}, "'random' looks at no predictions"),
    ],
)
def test_wrong_requests_are_refused(posterior, pool, options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        race_pool(posterior, pool, **options)
