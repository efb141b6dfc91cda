import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition
from acquisition import Candidates


def test_equal_scores_are_chosen_by_lowest_index():
    scores_N = torch.tensor([1.0, 3.0, 2.0, 3.0, 2.0, 3.0])
    assert acquisition.select("top_k", Candidates(scores_N=scores_N), 5).indices.tolist() == [1, 3, 5, 2, 4]


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=30, unique=True), st.randoms(use_true_random=False)
)
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_pool_does_not_matter(values, random):
    scores_N = torch.tensor(values, dtype=torch.float32)
    order = torch.tensor(random.sample(range(len(values)), len(values)))
    straight = acquisition.select("top_k", Candidates(scores_N=scores_N), 2).indices
    shuffled = acquisition.select("top_k", Candidates(scores_N=scores_N[order]), 2).indices
    assert torch.equal(order[shuffled], straight)
