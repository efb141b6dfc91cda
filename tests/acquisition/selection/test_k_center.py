from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition
from acquisition import Candidates
from acquisition.selection import k_center


def features(n_items, seed, n_features=3):
    return torch.randn(n_items, n_features, generator=torch.Generator().manual_seed(seed))


def radius(features_N_D, centres_K_D):
    return torch.cdist(features_N_D, centres_K_D).amin(1).max().item()


def one_at_a_time(features_N_D, labeled_M_D, batch_size):
    """K-center greedy as in the paper, in float64 with a table of all pairs."""
    x, known = features_N_D.double(), labeled_M_D.double()
    chosen = [] if len(known) else [int((x - x.mean(0)).norm(dim=1).argmin())]
    while len(chosen) < batch_size:
        distances = torch.cdist(x, torch.cat([known, x[chosen]])).amin(1)
        distances[chosen] = -1
        chosen.append(int(distances.argmax()))
    return chosen


@pytest.mark.parametrize("seen", [1, 3, 8, 1024])
@pytest.mark.parametrize("n_labeled", [0, 7])
def test_looking_among_the_farthest_gives_the_choices_of_looking_at_everybody(monkeypatch, seen, n_labeled):
    monkeypatch.setattr(k_center, "FARTHEST", seen)
    for seed in range(5):
        features_N_D, labeled_M_D = features(60, seed), features(n_labeled, 100 + seed)
        given_ = Candidates(features_N_D=features_N_D, labeled_M_D=labeled_M_D)
        chosen = acquisition.select("core_set", given_, 25).indices
        assert chosen.tolist() == one_at_a_time(features_N_D, labeled_M_D, 25)


@given(st.integers(3, 9), st.integers(1, 3), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_radius_is_at_most_twice_the_best_one(n_items, batch_size, seed):
    features_N_D = features(n_items, seed, n_features=2)
    chosen = acquisition.select("core_set", Candidates(features_N_D=features_N_D), batch_size).indices
    best = min(
        radius(features_N_D, features_N_D[list(centres)])
        for centres in combinations(range(n_items), batch_size)
    )
    assert radius(features_N_D, features_N_D[chosen]) <= 2 * best + 1e-5


def test_gains_are_the_distances_at_the_time_of_choice():
    features_N_D = torch.tensor([[0.0], [1.0], [5.0], [-6.0]])
    labeled = Candidates(features_N_D=features_N_D, labeled_M_D=torch.tensor([[0.0]]))
    indices, gains = acquisition.select("core_set", labeled, 3)
    assert indices.tolist() == [3, 2, 1]
    torch.testing.assert_close(gains, torch.tensor([6.0, 5.0, 1.0]))
    cold = acquisition.select("core_set", Candidates(features_N_D=features_N_D), 2)
    assert cold.indices.tolist() == [0, 3]
    torch.testing.assert_close(cold.gains, torch.tensor([6.0, 6.0]))
