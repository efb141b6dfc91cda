import pytest
import torch

import acquisition
from acquisition import Candidates
from acquisition.selection import distances, max_herding
from acquisition.selection.distances import points_of


def features(n_items, seed, n_features=3):
    return torch.randn(n_items, n_features, generator=torch.Generator().manual_seed(seed))


def dense(features_N_D, labeled_M_D, batch_size, bandwidth):
    """The greedy rise of the coverage from the table of all pairs, in float64."""
    x, known = features_N_D.double(), labeled_M_D.double()
    kernel = torch.exp(-(torch.cdist(x, x) ** 2) / (2 * bandwidth**2))
    covered = torch.zeros(len(x), dtype=torch.float64)
    if len(known):
        covered = torch.exp(-(torch.cdist(x, known) ** 2) / (2 * bandwidth**2)).amax(1)
    chosen, gains = [], []
    for _ in range(batch_size):
        rises = (kernel - covered).clamp_min(0).mean(1)
        rises[chosen] = -1
        chosen.append(int(rises.argmax()))
        gains.append(float(rises[chosen[-1]]))
        covered = torch.maximum(covered, kernel[chosen[-1]])
    return chosen, torch.tensor(gains)


@pytest.mark.parametrize("n_labeled", [0, 6])
@pytest.mark.parametrize("bandwidth", [0.3, 1.5])
def test_choices_and_gains_are_those_of_the_dense_form(monkeypatch, n_labeled, bandwidth):
    monkeypatch.setattr(distances, "BLOCK", 2000)
    for seed in range(4):
        features_N_D, labeled_M_D = features(150, seed), features(n_labeled, 9 + seed)
        given = Candidates(features_N_D=features_N_D, labeled_M_D=labeled_M_D)
        chosen = acquisition.select("max_herding", given, 15, bandwidth=bandwidth)
        indices, gains = dense(features_N_D, labeled_M_D, 15, bandwidth)
        assert chosen.indices.tolist() == indices
        torch.testing.assert_close(chosen.gains, gains, atol=1e-5, rtol=1e-4)


def test_the_order_of_the_pool_does_not_matter():
    features_N_D = features(150, 3)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    straight = acquisition.select("max_herding", Candidates(features_N_D=features_N_D), 8, seed=1)
    shuffled = acquisition.select("max_herding", Candidates(features_N_D=features_N_D[order]), 8, seed=2)
    assert torch.equal(order[shuffled.indices], straight.indices)


def test_gains_never_rise_and_sum_to_a_coverage():
    gains = acquisition.select("max_herding", Candidates(features_N_D=features(300, 1)), 300).gains
    assert (gains.diff() <= 1e-6).all()
    assert gains.sum().item() == pytest.approx(1, abs=1e-4)


def test_the_bandwidth_is_the_median_distance_of_two_candidates():
    features_N_D = features(40, 2)
    expected = torch.pdist(features_N_D).median().item()
    assert max_herding.median_distance(points_of(features_N_D)[0], 0) == pytest.approx(expected, rel=1e-4)
    given = Candidates(features_N_D=features_N_D)
    by_itself = acquisition.select("max_herding", given, 6)
    assert torch.equal(by_itself.indices, acquisition.select("max_herding", given, 6, bandwidth=expected)[0])


def test_above_two_thousand_the_seed_draws_who_gives_the_bandwidth(monkeypatch):
    monkeypatch.setattr(max_herding, "PAIRS_OF", 20)
    points = points_of(features(60, 2))[0]
    widths = {max_herding.median_distance(points, seed) for seed in (1, 1, 2, 3)}
    assert len(widths) == 3


def test_where_most_are_duplicates_the_mean_distance_is_taken():
    points = points_of(torch.tensor([[0.0], [0.0], [0.0], [0.0], [1.0]]))[0]
    assert max_herding.median_distance(points, 0) == pytest.approx(0.4)
    assert max_herding.median_distance(points_of(torch.ones(5, 2))[0], 0) == 1.0


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bandwidth_out_of_range_is_refused(bandwidth):
    with pytest.raises(acquisition.InvalidOption, match="bandwidth is"):
        acquisition.select("max_herding", Candidates(features_N_D=torch.zeros(2, 1)), 1, bandwidth=bandwidth)
