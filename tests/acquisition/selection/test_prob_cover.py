import numpy as np
import pytest
import torch

import acquisition
from acquisition import Candidates
from acquisition.selection import distances
from acquisition.selection.distances import points_of
from acquisition.selection.prob_cover import pure_radius


def features(n_items, seed, n_features=2):
    return torch.randn(n_items, n_features, generator=torch.Generator().manual_seed(seed))


def dense_gains(features_N_D, labeled_M_D, chosen, radius):
    """The shares that a cover newly covers, and the most that each step could have covered."""
    inside = torch.cdist(features_N_D, features_N_D) < radius
    open_N = torch.ones(len(features_N_D), dtype=torch.bool)
    if len(labeled_M_D):
        open_N = torch.cdist(features_N_D, labeled_M_D).amin(1) >= radius
    gains, best = [], []
    for row in chosen:
        counts = (inside & open_N).sum(1)
        best.append(counts.max().item() / len(features_N_D))
        gains.append(counts[row].item() / len(features_N_D))
        open_N &= ~inside[row]
    return gains, best


@pytest.mark.parametrize("n_labeled", [0, 5])
@pytest.mark.parametrize("radius", [0.2, 0.7])
def test_each_choice_covers_as_much_as_any_could(monkeypatch, n_labeled, radius):
    monkeypatch.setattr(distances, "BLOCK", 3000)
    for seed in range(4):
        features_N_D, labeled_M_D = features(200, seed), features(n_labeled, 50 + seed)
        given = Candidates(features_N_D=features_N_D, labeled_M_D=labeled_M_D)
        indices, gains = acquisition.select("prob_cover", given, 12, radius=radius)
        expected, best = dense_gains(features_N_D, labeled_M_D, indices, radius)
        assert gains.tolist() == pytest.approx(expected)
        assert expected == best


def test_where_all_are_covered_the_cover_starts_over():
    features_N_D = torch.tensor([[0.0], [0.1], [0.2], [9.0], [9.1]])
    indices, gains = acquisition.select("prob_cover", Candidates(features_N_D=features_N_D), 5, radius=1.0)
    assert indices[:4].tolist() == [0, 3, 1, 4]
    assert gains.tolist() == pytest.approx([0.6, 0.4, 0, 0, 0])


def test_what_labels_cover_is_not_covered_again():
    features_N_D = torch.tensor([[0.0], [0.1], [0.2], [9.0]])
    given = Candidates(features_N_D=features_N_D, labeled_M_D=torch.tensor([[0.05]]))
    assert acquisition.select("prob_cover", given, 1, radius=0.5).indices.tolist() == [3]


@pytest.mark.parametrize("purity", [1.0, 0.95, 0.8, 0.31, 0.01])
def test_the_radius_is_the_largest_that_is_pure_enough(purity):
    features_N_D, owner_N = features(100, 3), np.arange(100) % 3
    points = points_of(features_N_D)[0]
    radius = pure_radius(points, owner_N, purity)
    distances_N_N = distances.squared_distances(points, points).sqrt()
    other_N_N = torch.from_numpy(owner_N[:, None] != owner_N)

    def share(delta):
        return 1 - ((distances_N_N < delta) & other_N_N).any(1).float().mean().item()

    assert share(radius) >= purity - 1e-6
    assert share(radius * (1 + 1e-6)) < purity


def test_the_number_of_classes_tells_how_many_clusters_there_are():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    features_N_D = centres.repeat_interleave(20, 0) + 0.5 * features(60, 4)
    given = Candidates(features_N_D=features_N_D, log_probs_T_N_C=torch.zeros(1, 60, 3).log_softmax(-1))
    chosen = acquisition.select("prob_cover", given, 3)
    assert sorted((chosen.indices // 20).tolist()) == [0, 1, 2]
    again = acquisition.select("prob_cover", Candidates(features_N_D=features_N_D), 3, clusters=3)
    assert torch.equal(chosen.indices, again.indices)


def test_a_batch_of_one_from_a_cold_start_has_a_radius_too():
    features_N_D = torch.cat([10 + 3 * features(30, 5), 0.1 * features(30, 6)])
    chosen = acquisition.select("prob_cover", Candidates(features_N_D=features_N_D), 1)
    assert chosen.indices[0] >= 30
    assert chosen.gains[0] < 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"radius": 0.0}, "radius is"),
        ({"radius": float("nan")}, "radius is"),
        ({"purity": 0.0}, "purity is"),
        ({"purity": 1.1}, "purity is"),
        ({"clusters": 1}, "clusters is"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.select("prob_cover", Candidates(features_N_D=torch.zeros(2, 1)), 1, **options)
