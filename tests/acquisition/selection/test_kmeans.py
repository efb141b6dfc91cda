import numpy as np
import pytest
import torch

import acquisition
from acquisition import Candidates


def blobs(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[20.0 * n, 20.0 * (n % 2)] for n in range(len(sizes))])
    owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return centres[owners] + torch.randn(len(owners), 2, generator=generator), owners


def test_each_cluster_gives_one_item_the_largest_first():
    features_N_D, owners = blobs([10, 40, 20, 30])
    indices, gains = acquisition.select("kmeans", Candidates(features_N_D=features_N_D), 4)
    assert owners[indices].tolist() == [1, 3, 2, 0]
    torch.testing.assert_close(gains, torch.tensor([0.4, 0.3, 0.2, 0.1]))


def test_the_chosen_item_is_the_one_nearest_to_the_middle():
    features_N_D, owners = blobs([50, 30])
    indices = acquisition.select("kmeans", Candidates(features_N_D=features_N_D), 2).indices
    for index in indices:
        cluster = features_N_D[owners == owners[index]]
        distances = (cluster - cluster.mean(0)).norm(dim=1)
        assert (features_N_D[index] - cluster.mean(0)).norm() == pytest.approx(
            distances.min().item(), abs=1e-5
        )


def test_duplicates_fill_up_where_different_points_run_out():
    features_N_D = torch.tensor([[1.0], [2.0], [1.0], [3.0], [1.0], [2.0]])
    indices, gains = acquisition.select("kmeans", Candidates(features_N_D=features_N_D), 5)
    assert indices.tolist() == [0, 1, 3, 2, 4]
    torch.testing.assert_close(gains, torch.tensor([3 / 6, 2 / 6, 1 / 6, 0, 0]))


def test_a_large_pool_goes_in_mini_batches():
    features_N_D, owners = blobs([6000, 5000])
    indices = acquisition.select("kmeans", Candidates(features_N_D=features_N_D), 2).indices
    assert owners[indices].tolist() == [0, 1]


def test_images_are_features_too_and_the_global_random_state_stays():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    images = torch.randn(30, 1, 4, 4)
    assert len(acquisition.select("kmeans", Candidates(features_N_D=images), 3).indices) == 3
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_features_that_are_no_numbers_are_refused_by_row():
    features_N_D = torch.zeros(5, 2)
    features_N_D[4, 1] = torch.nan
    with pytest.raises(acquisition.NotFinite, match="features of 1 rows: 4"):
        acquisition.select("kmeans", Candidates(features_N_D=features_N_D), 2)
