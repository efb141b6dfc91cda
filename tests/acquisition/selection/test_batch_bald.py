import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import acquisition
from acquisition import Candidates
from acquisition.catalog import build

EXACT = {"configurations": 10_000, "screening": 10_000}


def table(T, N, C, seed=0, spread=2.0):
    logits = torch.randn(T, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (spread * logits).log_softmax(-1)


def joint_information(log_probs_T_K_C):
    """Lists all C^K joint labels, in float64."""
    probs_T_K_C = log_probs_T_K_C.double().exp()
    _, K, C = probs_T_K_C.shape
    joint = [
        probs_T_K_C[:, range(K), labels].prod(1).mean() for labels in itertools.product(range(C), repeat=K)
    ]
    noise = -torch.special.xlogy(probs_T_K_C, probs_T_K_C).sum((1, 2)).mean()
    joint = torch.stack(joint)
    return float(-torch.special.xlogy(joint, joint).sum() - noise)


def greedy_by_enumeration(log_probs_T_N_C, k):
    chosen, total, gains = [], 0.0, []
    for _ in range(k):
        left = [i for i in range(log_probs_T_N_C.shape[1]) if i not in chosen]
        worth = {i: joint_information(log_probs_T_N_C[:, [*chosen, i]]) for i in left}
        chosen.append(max(left, key=worth.__getitem__))
        gains.append(worth[chosen[-1]] - total)
        total = worth[chosen[-1]]
    return chosen, gains


SMALL = st.tuples(
    st.integers(2, 6), st.integers(4, 9), st.integers(2, 3), st.integers(0, 10**6), st.floats(0.5, 4)
)


@given(SMALL)
@settings(max_examples=15, deadline=None)
def test_gains_add_up_to_the_joint_information_of_all_labels(shape):
    log_probs_T_N_C = table(*shape)
    indices, gains = acquisition.select("batch_bald", log_probs_T_N_C, 4, **EXACT)
    for k in range(1, 5):
        assert float(gains[:k].sum()) == pytest.approx(
            joint_information(log_probs_T_N_C[:, indices[:k]]), abs=1e-5
        )


@given(SMALL)
@settings(max_examples=15, deadline=None)
def test_each_pick_is_the_best_of_all_that_are_left(shape):
    log_probs_T_N_C = table(*shape)
    indices, gains = acquisition.select("batch_bald", log_probs_T_N_C, 3, **EXACT)
    expected, best_gains = greedy_by_enumeration(log_probs_T_N_C, 3)
    torch.testing.assert_close(gains.double(), torch.tensor(best_gains).double(), atol=1e-5, rtol=0)
    if min(best_gains) > 1e-3:
        assert indices.tolist() == expected


@given(SMALL)
@settings(max_examples=25, deadline=None)
def test_gains_fall_and_stay_below_the_sum_of_bald_and_the_entropy_of_the_networks(shape):
    log_probs_T_N_C = table(*shape)
    indices, gains = acquisition.select("batch_bald", log_probs_T_N_C, 4, **EXACT)
    bald = acquisition.score("bald", log_probs_T_N_C)[indices]
    assert (gains[1:] <= gains[:-1] + 2e-6).all()
    assert (gains <= bald + 2e-6).all()
    assert (gains >= -2e-6).all()
    assert float(gains.sum()) <= math.log(len(log_probs_T_N_C)) + 1e-5


def test_a_batch_of_one_is_the_largest_bald():
    log_probs_T_N_C = table(7, 3000, 5)
    indices, gains = acquisition.select("batch_bald", log_probs_T_N_C, 1)
    bald = acquisition.score("bald", log_probs_T_N_C)
    assert indices.tolist() == [int(bald.argmax())]
    assert float(gains) == pytest.approx(float(bald.max()), abs=1e-12)


def test_a_copy_of_the_first_pick_waits_for_what_is_new():
    original = table(30, 12, 4)
    first = int(acquisition.score("bald", original).argmax())
    pool = torch.cat([original, original[:, [first] * 3]], 1)
    copies = {first, 12, 13, 14}
    chosen = acquisition.select("batch_bald", pool, 5, **EXACT).indices.tolist()
    assert len(copies & set(chosen)) == 1
    top = acquisition.select("top_k", pool, 4).indices.tolist()
    assert set(top) == copies


def test_drawn_configurations_choose_as_much_information_as_all():
    log_probs_T_N_C = table(20, 60, 3, seed=5, spread=1.5).float()
    every = acquisition.select("batch_bald", log_probs_T_N_C, 7, **EXACT)
    drawn = acquisition.select("batch_bald", log_probs_T_N_C, 7, configurations=1000, screening=100)
    best, found = (joint_information(log_probs_T_N_C[:, batch.indices]) for batch in (every, drawn))
    assert found >= 0.99 * best
    assert float(every.gains.sum()) == pytest.approx(best, abs=1e-4)
    noise = 7 * 0.5 * math.log(3) / math.sqrt(1000)
    assert float(drawn.gains.sum()) == pytest.approx(found, abs=noise)


def test_a_first_look_changes_nothing_where_it_sees_every_configuration():
    log_probs_T_N_C = table(6, 200, 3, seed=2)
    apart = acquisition.select("batch_bald", log_probs_T_N_C, 4, configurations=10_000, screening=81)
    at_once = acquisition.select("batch_bald", log_probs_T_N_C, 4, **EXACT)
    assert torch.equal(apart.indices, at_once.indices)


def test_looking_lazily_finds_what_looking_at_all_finds(monkeypatch):
    from acquisition.selection import batch_bald

    log_probs_T_N_C = table(25, 900, 3, seed=4)
    lazy = acquisition.select("batch_bald", log_probs_T_N_C, 5, **EXACT)
    monkeypatch.setattr(batch_bald, "BLOCK_ITEMS", 10_000)
    full = acquisition.select("batch_bald", log_probs_T_N_C, 5, **EXACT)
    assert torch.equal(lazy.indices, full.indices)


def test_the_order_of_the_pool_networks_and_classes_does_not_matter():
    log_probs_T_N_C = table(9, 50, 4, seed=8)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    expected = acquisition.select("batch_bald", log_probs_T_N_C, 4, **EXACT).indices
    shuffled = log_probs_T_N_C[torch.arange(8, -1, -1)][:, order][:, :, [2, 0, 3, 1]]
    found = acquisition.select("batch_bald", shuffled, 4, **EXACT).indices
    assert torch.equal(order[found], expected)


def test_the_same_seed_chooses_the_same_batch_and_another_seed_draws_anew():
    log_probs_T_N_C = table(20, 100, 5, spread=0.7)
    few = {"configurations": 100, "screening": 40}
    batches = [acquisition.select("batch_bald", log_probs_T_N_C, 12, seed=s, **few) for s in (1, 1, 2)]
    assert torch.equal(batches[0].indices, batches[1].indices)
    assert not torch.equal(batches[0].gains, batches[2].gains)


def test_the_batch_is_that_of_batchbald_redux():
    redux = pytest.importorskip("batchbald_redux.batchbald", reason="batchbald_redux is not installed")
    log_probs_T_N_C = table(15, 80, 4, seed=1)
    theirs = redux.get_batchbald_batch(log_probs_T_N_C.transpose(0, 1).contiguous(), 5, 1024)
    ours = acquisition.select("batch_bald", log_probs_T_N_C, 5, **EXACT)
    assert ours.indices.tolist() == theirs.indices
    assert ours.gains.cumsum(0).tolist() == pytest.approx(theirs.scores, abs=1e-5)


def test_certain_networks_that_contradict_each_other_tell_which_is_right():
    labels_T_N = torch.tensor([[0, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1]])
    certain = torch.nn.functional.one_hot(labels_T_N, 2).double().log()
    indices, gains = acquisition.select("batch_bald", certain, 4)
    assert indices[:2].tolist() == [0, 1]
    assert gains.tolist() == pytest.approx([math.log(2), math.log(2), 0, 0], abs=1e-6)


class LargestTensor(TorchDispatchMode):
    """Watches what is allocated; views of what was given do not count."""

    def __init__(self, given):
        super().__init__()
        self.given, self.numbers = given.untyped_storage().data_ptr(), 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr() != self.given:
            self.numbers = max(self.numbers, result.numel())
        return result


@pytest.mark.parametrize(("n_items", "n_classes"), [(40, 1000), (4000, 10)])
def test_nothing_larger_than_a_block_is_held(n_items, n_classes):
    log_probs_T_N_C = table(4, n_items, n_classes, spread=6.0).float()
    selector = build("selectors", "batch_bald", {"configurations": 4096})
    with LargestTensor(log_probs_T_N_C) as watch:
        indices, gains = selector(Candidates(log_probs_T_N_C=log_probs_T_N_C), 4, seed=0)
    assert len(set(indices.tolist())) == 4
    assert float(gains.sum()) <= math.log(4) + 0.02
    assert watch.numbers <= 2**20


def test_one_candidate_is_a_batch_of_one():
    indices, _ = acquisition.select("batch_bald", table(3, 1, 4), 1)
    assert indices.tolist() == [0]
    with pytest.raises(acquisition.InvalidInput, match="only 1 candidates are there"):
        acquisition.select("batch_bald", table(3, 1, 4), 2)


def test_the_whole_pool_can_be_asked_for_when_nothing_more_is_to_be_learned():
    indices, gains = acquisition.select("batch_bald", table(2, 30, 3), 30, configurations=50, screening=20)
    assert sorted(indices.tolist()) == list(range(30))
    assert gains.isfinite().all()


def test_networks_that_can_not_disagree_are_refused():
    with pytest.raises(acquisition.NotStochastic, match="predictions of one network"):
        acquisition.select("batch_bald", table(1, 9, 3), 2)
    with pytest.raises(acquisition.NotStochastic, match="All samples of the posterior are equal"):
        acquisition.select("batch_bald", table(1, 9, 3).repeat(4, 1, 1), 2)


def test_several_labels_and_missing_predictions_are_refused():
    with pytest.raises(
        acquisition.InvalidInput, match=r"\[T samples, N items, C classes\], found .*3, 9, 2, 2"
    ):
        acquisition.select("batch_bald", torch.full((3, 9, 2, 2), 0.5).log(), 2)
    with pytest.raises(acquisition.InvalidInput, match="'batch_bald' needs log_probs"):
        acquisition.select("batch_bald", Candidates(scores_N=torch.rand(5)), 2)


@pytest.mark.parametrize("option", ["configurations", "screening"])
def test_counts_are_checked(option):
    with pytest.raises(acquisition.InvalidOption, match=f"{option} is 0"):
        acquisition.select("batch_bald", table(3, 9, 3), 2, **{option: 0})
