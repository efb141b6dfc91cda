import pytest
import torch

import acquisition
from acquisition import Candidates
from acquisition.selection import distances
from acquisition.selection.distances import points_of
from acquisition.selection.typiclust import typicality


def blobs(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[20.0 * n, 20.0 * (n % 2)] for n in range(len(sizes))])
    owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return centres[owners] + torch.randn(len(owners), 2, generator=generator), owners


def test_a_cold_start_takes_the_most_typical_of_each_cluster_the_largest_first():
    features_N_D, owners = blobs([10, 40, 20, 30])
    indices, gains = acquisition.select("typiclust", Candidates(features_N_D=features_N_D), 4)
    assert owners[indices].tolist() == [1, 3, 2, 0]
    for index, gain in zip(indices, gains, strict=True):
        cluster = features_N_D[owners == owners[index]]
        nearest = torch.cdist(cluster, cluster).sort().values[:, 1 : min(20, len(cluster) // 2) + 1].mean(1)
        assert gain.item() == pytest.approx(1 / (nearest.min().item() + 1e-5), rel=1e-3)


def test_clusters_with_a_label_come_after_those_without():
    features_N_D, owners = blobs([30, 40, 20])
    labeled_M_D = features_N_D[owners == 1][:2]
    given = Candidates(features_N_D=features_N_D, labeled_M_D=labeled_M_D)
    indices = acquisition.select("typiclust", given, 3, max_clusters=3).indices
    assert owners[indices].tolist() == [0, 2, 1]


def test_clusters_take_turns_where_there_are_fewer_than_asked_for():
    features_N_D, owners = blobs([30, 40])
    indices, gains = acquisition.select("typiclust", Candidates(features_N_D=features_N_D), 6, max_clusters=2)
    assert owners[indices].tolist() == [1, 0, 1, 0, 1, 0]
    assert (gains[::2].diff() <= 0).all()
    assert (gains[1::2].diff() <= 0).all()


def test_small_clusters_come_last():
    features_N_D, owners = blobs([4, 40, 20])
    chosen = acquisition.select("typiclust", Candidates(features_N_D=features_N_D), 3)
    assert owners[chosen.indices].tolist() == [1, 2, 0]
    again = acquisition.select("typiclust", Candidates(features_N_D=features_N_D), 9, max_clusters=3)
    assert owners[again.indices].tolist() == [1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_typicality_is_the_same_in_blocks_and_nothing_for_one_alone(monkeypatch):
    points = points_of(torch.randn(40, 3, generator=torch.Generator().manual_seed(0)))[0]
    whole = typicality(points, 20)
    monkeypatch.setattr(distances, "BLOCK", 100)
    torch.testing.assert_close(typicality(points, 20), whole)
    assert typicality(points[:1], 20).tolist() == [0.0]


@pytest.mark.parametrize("options", [{"max_clusters": 0}, {"neighbours": 1.5}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(acquisition.InvalidOption, match=r"is .*; a whole number"):
        acquisition.select("typiclust", Candidates(features_N_D=torch.zeros(2, 1)), 1, **options)
