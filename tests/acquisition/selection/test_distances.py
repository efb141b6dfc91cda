import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition import InvalidInput
from acquisition.selection import distances
from acquisition.selection.distances import blocks, nearest_squared, points_of, squared_distances


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000), st.sampled_from([0.0, 50.0, 1e4]))
@settings(max_examples=40, deadline=None)
def test_distances_are_those_of_float64_wherever_the_features_lie(n_items, n_features, seed, far):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n_items, n_features, generator=generator) + far
    labeled = torch.randn(5, n_features, generator=generator) + far
    points, known = points_of(features, labeled)
    exact = torch.cdist(features.double(), labeled.double()) ** 2
    torch.testing.assert_close(
        squared_distances(points, known).double(), exact, rtol=1e-4, atol=1e-4 if far < 1e3 else 1e-1
    )


def test_the_nearest_is_the_same_in_blocks_of_any_size(monkeypatch):
    points, others = points_of(torch.randn(50, 3), torch.randn(20, 3))
    whole = squared_distances(points, others).amin(1)
    for size in (1, 20, 70, 999):
        monkeypatch.setattr(distances, "BLOCK", size)
        torch.testing.assert_close(nearest_squared(points, others), whole)
        assert max(block.stop - block.start for block in blocks(50, 20)) <= max(1, size // 20)


def test_without_others_everybody_is_infinitely_far():
    points, nobody = points_of(torch.randn(4, 2))
    assert nearest_squared(points, nobody).tolist() == [torch.inf] * 4


def test_features_whose_squares_overflow_are_refused():
    with pytest.raises(InvalidInput, match="too large"):
        points_of(torch.tensor([[1e25], [-1e25]]))
