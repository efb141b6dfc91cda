"""What holds for every selector of the catalog."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import acquisition
from acquisition import Candidates

SELECTORS = sorted(acquisition.catalog()["selectors"])


#: Selectors that draw nothing and whose gains do not tie by symmetry, with options.
DETERMINISTIC = {
    "bait": {},
    "core_set": {},
    "distinct": {},
    "group_quota": {},
    "top_k": {},
}


def candidates(n_items, seed, n_values=50):
    generator = torch.Generator().manual_seed(seed)
    return Candidates(
        scores_N=torch.randint(n_values, (n_items,), generator=generator) / n_values,
        features_N_D=torch.randint(3, (n_items, 2), generator=generator).float(),
        log_probs_T_N_C=torch.randn(4, n_items, 3, generator=generator).log_softmax(-1),
        labeled_M_D=torch.randint(3, (n_items % 4, 2), generator=generator).float(),
        groups_N=torch.randint(4, (n_items,), generator=generator),
    )


def smooth(n_items, seed):
    """Candidates of whom no two are equal."""
    generator = torch.Generator().manual_seed(seed)
    return Candidates(
        scores_N=torch.rand(n_items, generator=generator),
        features_N_D=torch.randn(n_items, 3, generator=generator),
        log_probs_T_N_C=(2 * torch.randn(4, n_items, 3, generator=generator)).log_softmax(-1),
        labeled_M_D=torch.randn(5, 3, generator=generator),
        groups_N=torch.randint(4, (n_items,), generator=generator),
    )


@pytest.mark.parametrize("name", SELECTORS)
@given(st.integers(1, 40), st.data())
@settings(max_examples=25, deadline=None)
def test_a_batch_has_as_many_different_candidates_as_asked_for(name, n_items, data):
    batch_size = data.draw(st.integers(1, n_items))
    indices, gains = acquisition.select(name, candidates(n_items, n_items), batch_size, seed=2)
    assert len(set(indices.tolist())) == len(indices) == len(gains) == batch_size
    assert indices.dtype == torch.long
    assert (indices >= 0).all()
    assert (indices < n_items).all()
    assert gains.isfinite().all()


@pytest.mark.parametrize("name", SELECTORS)
def test_the_same_seed_chooses_the_same_batch(name):
    first, again = (acquisition.select(name, candidates(60, 1), 9, seed=5) for _ in range(2))
    assert torch.equal(first.indices, again.indices)


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("value", [0.0, 1.0, -7.25])
def test_candidates_that_are_all_alike_are_no_trouble(name, value):
    alike = Candidates(
        scores_N=torch.full((9,), 0.5),
        features_N_D=torch.full((9, 3), value),
        log_probs_T_N_C=torch.eye(3).log_softmax(-1)[:, None].expand(3, 9, 3),
        groups_N=torch.zeros(9, dtype=torch.long),
    )
    for batch_size in (1, 4, 9):
        indices, gains = acquisition.select(name, alike, batch_size, seed=1)
        assert len(set(indices.tolist())) == batch_size
        assert gains.isfinite().all()


@pytest.mark.parametrize("name", SELECTORS)
def test_the_candidates_and_the_global_random_state_stay_as_they_were(name):
    given_, same = smooth(40, 1), smooth(40, 1)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    acquisition.select(name, given_, 7, seed=3)
    for field in ("scores_N", "features_N_D", "log_probs_T_N_C", "labeled_M_D", "groups_N"):
        assert torch.equal(getattr(given_, field), getattr(same, field))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@pytest.mark.parametrize("name", sorted(DETERMINISTIC))
@given(st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_where_nothing_is_drawn_the_order_of_the_pool_does_not_matter(name, n_items, random):
    pool, order = smooth(n_items, n_items), torch.tensor(random.sample(range(n_items), n_items))
    batch_size, options = random.randint(1, max(1, n_items // 2)), DETERMINISTIC[name]
    straight = acquisition.select(name, pool, batch_size, seed=1, **options)
    shuffled = acquisition.select(name, pool[order], batch_size, seed=2, **options)
    assert sorted(order[shuffled.indices].tolist()) == sorted(straight.indices.tolist())


@pytest.mark.parametrize("name", SELECTORS)
def test_more_than_there_are_is_refused(name):
    with pytest.raises(acquisition.InvalidInput, match="5 items were asked for, only 4 candidates are there"):
        acquisition.select(name, candidates(4, 0), 5)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True])
def test_a_batch_size_that_is_no_count_is_refused(batch_size):
    with pytest.raises(acquisition.InvalidOption, match="batch_size is"):
        acquisition.select("top_k", candidates(4, 0), batch_size)


@pytest.mark.parametrize("name", ["top_k", "power"])
def test_scores_that_are_no_numbers_are_refused_by_row(name):
    with pytest.raises(acquisition.NotFinite, match="scores of 2 rows: 1, 3") as caught:
        acquisition.select(name, Candidates(scores_N=torch.tensor([0, torch.nan, 1, torch.inf])), 1)
    assert caught.value.rows == (1, 3)


def test_log_probabilities_are_scored_by_bald_or_the_named_function(log_probs_T_N_C):
    for options in ({}, {"function": "margin"}):
        scores_N = acquisition.score(options.get("function", "bald"), log_probs_T_N_C)
        chosen = acquisition.select("top_k", log_probs_T_N_C, 4, **options)
        assert torch.equal(chosen.indices, scores_N.topk(4).indices)
        assert torch.equal(chosen.gains, scores_N.topk(4).values)


def test_what_a_selector_needs_has_to_be_there(log_probs_T_N_C):
    with pytest.raises(acquisition.InvalidInput, match=r"'kmeans' needs features .*features_N_D"):
        acquisition.select("kmeans", log_probs_T_N_C, 2)
    with pytest.raises(acquisition.InvalidInput, match=r"'power' needs scores"):
        acquisition.select("power", Candidates(features_N_D=torch.zeros(3, 2)), 2)
    with pytest.raises(acquisition.InvalidInput, match=r"different numbers of rows: \[3, 5\]"):
        acquisition.select("top_k", Candidates(scores_N=torch.zeros(3), features_N_D=torch.zeros(5, 2)), 2)
    with pytest.raises(acquisition.InvalidInput, match="one floating-point score per candidate"):
        acquisition.select("top_k", Candidates(scores_N=torch.zeros(3, 2)), 2)
    with pytest.raises(acquisition.InvalidInput, match="one row per item"):
        acquisition.select("kmeans", Candidates(features_N_D=torch.tensor(1.0)), 1)


def test_selector_options_are_checked():
    with pytest.raises(
        acquisition.InvalidOption, match=r"'power' takes no option 'bta'. Did you mean 'beta'\?"
    ):
        acquisition.select("power", candidates(9, 0), 2, bta=2)
