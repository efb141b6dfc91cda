import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import acquisition
from acquisition import Candidates


def by_hand(given_, batch_size, threshold):
    """Goes down the scores with a table of all cosines, in float64; then fills up."""
    unit = torch.nn.functional.normalize(given_.features_N_D.double(), dim=1)
    known = torch.nn.functional.normalize(given_.labeled_M_D.double(), dim=1)
    order = given_.scores_N.argsort(descending=True, stable=True).tolist()
    chosen = []
    for row in order:
        others = torch.cat([known, unit[chosen]])
        if not len(others) or (others @ unit[row]).max() < threshold:
            chosen.append(row)
    return (chosen + [row for row in order if row not in chosen])[:batch_size]


@given(st.integers(1, 60), st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 0.95]), st.data())
@settings(max_examples=60, deadline=None)
def test_the_choice_is_that_of_a_table_of_all_cosines(n_items, seed, threshold, data):
    generator = torch.Generator().manual_seed(seed)
    pool = Candidates(
        scores_N=torch.rand(n_items, generator=generator),
        features_N_D=torch.randn(n_items, 3, generator=generator),
        labeled_M_D=torch.randn(seed % 3, 3, generator=generator),
    )
    rows = torch.nn.functional.normalize(torch.cat([pool.features_N_D, pool.labeled_M_D]).double(), dim=1)
    assume((rows @ rows.T - threshold).abs().min() > 3e-6)  # no pair so near to it that rounding decides
    batch_size = data.draw(st.integers(1, n_items))
    chosen = acquisition.select("distinct", pool, batch_size, threshold=threshold)
    assert chosen.indices.tolist() == by_hand(pool, batch_size, threshold)
    assert torch.equal(chosen.gains, pool.scores_N[chosen.indices])


def test_copies_are_skipped_at_a_threshold_of_one_whatever_their_scale():
    features_N_D = torch.tensor([[1.0, 2.0], [3.0, 6.0], [2.0, 1.0], [1e-30, 2e-30], [1e30, 2e30]])
    given_ = Candidates(features_N_D=features_N_D, scores_N=torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]))
    assert acquisition.select("distinct", given_, 5, threshold=1.0).indices.tolist() == [0, 2, 1, 3, 4]


def test_a_zero_vector_is_like_another_and_like_nothing_else():
    features_N_D = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    given_ = Candidates(features_N_D=features_N_D, scores_N=torch.tensor([4.0, 3.0, 2.0, 1.0]))
    assert acquisition.select("distinct", given_, 4).indices.tolist() == [0, 2, 3, 1]


def test_what_is_labeled_is_not_asked_again():
    features_N_D = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    given_ = Candidates(
        features_N_D=features_N_D, scores_N=torch.tensor([2.0, 1.0]), labeled_M_D=torch.tensor([[7.0, 0.1]])
    )
    assert acquisition.select("distinct", given_, 1).indices.tolist() == [1]


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold):
    given_ = Candidates(features_N_D=torch.zeros(2, 1), scores_N=torch.zeros(2))
    with pytest.raises(acquisition.InvalidOption, match="threshold is"):
        acquisition.select("distinct", given_, 1, threshold=threshold)
