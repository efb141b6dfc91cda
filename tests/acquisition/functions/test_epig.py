import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import acquisition
from acquisition.predictions import Gaussians

TABLES = st.tuples(
    st.integers(1, 7), st.integers(1, 6), st.integers(1, 6), st.integers(2, 5), st.integers(2, 5),
    st.integers(0, 10**6), st.floats(0, 20),
)  # fmt: skip


def table(T, N, C, seed=0, spread=2.0):
    logits = torch.randn(T, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (spread * logits).log_softmax(-1)


def pool_and_targets(T, N, M, C, classes_of_targets, seed, spread):
    return table(T, N, C, seed, spread), table(T, M, classes_of_targets, seed + 1, spread)


def plogp(probs):
    return torch.special.xlogy(probs, probs)


def dense(pool_T_N_C, targets_T_M_C):
    """The mean information by the whole joint table [N, C, M, C], as Σ J ln(J / (q q*))."""
    pool, targets = pool_T_N_C.double().exp(), targets_T_M_C.double().exp()
    joint = torch.einsum("tnc,tmd->ncmd", pool, targets) / len(pool)
    independent = torch.einsum("nc,md->ncmd", pool.mean(0), targets.mean(0))
    ratio = torch.where(joint > 0, joint / independent.clamp_min(1e-300), 1.0)
    return (joint * ratio.log()).sum((1, 3)).mean(1)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_it_is_the_mean_information_of_the_whole_joint_table(shape):
    pool, targets = pool_and_targets(*shape)
    expected = dense(pool, targets)
    torch.testing.assert_close(acquisition.score("epig", pool, targets=targets), expected, atol=1e-9, rtol=0)
    single = acquisition.score("epig", pool.float(), targets=targets.float())
    torch.testing.assert_close(single.double(), expected, atol=3e-6, rtol=0)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_it_lies_between_zero_and_bald(shape):
    pool, targets = pool_and_targets(*shape)
    found = acquisition.score("epig", pool, targets=targets)
    assert (found >= 0).all()
    assert (found <= acquisition.score("bald", pool) + 1e-9).all()


def test_a_target_that_does_not_depend_on_the_weights_tells_nothing():
    pool, fixed = table(9, 20, 4), table(1, 3, 4).repeat(9, 1, 1)
    assert acquisition.score("epig", pool, targets=fixed).max() < 1e-9
    mixed = torch.cat([fixed, pool[:, :1]], 1)
    assert acquisition.score("epig", pool, targets=mixed)[0] > 0.02


def test_two_certain_networks_tell_each_others_label():
    certain = torch.tensor([[[1.0, 0]], [[0, 1.0]]]).double().log()
    assert acquisition.score("epig", certain, targets=certain).item() == pytest.approx(np.log(2), abs=1e-9)
    half = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]], dtype=torch.float64).log()
    expected = 2 * 0.41 * np.log(0.41 / 0.25) + 2 * 0.09 * np.log(0.09 / 0.25)
    assert acquisition.score("epig", half, targets=half).item() == pytest.approx(expected, abs=1e-9)


def test_item_and_target_may_change_places():
    item, target = table(8, 1, 3, seed=1), table(8, 1, 5, seed=2)
    there = acquisition.score("epig", item, targets=target)
    back = acquisition.score("epig", target, targets=item)
    torch.testing.assert_close(there, back, atol=1e-12, rtol=0)


def test_more_targets_are_averaged_and_their_order_does_not_matter():
    pool, targets = table(8, 12, 3), table(8, 5, 3, seed=7)
    together = acquisition.score("epig", pool, targets=targets)
    apart = torch.stack([acquisition.score("epig", pool, targets=targets[:, m : m + 1]) for m in range(5)])
    torch.testing.assert_close(together, apart.mean(0), atol=1e-12, rtol=0)
    turned = acquisition.score("epig", pool, targets=targets.flip(1))
    torch.testing.assert_close(together, turned, atol=1e-12, rtol=0)


def test_it_is_that_of_baal():
    from baal.active.heuristics import EPIG

    pool, targets = table(30, 40, 4), table(30, 25, 4, seed=3)
    theirs = EPIG().compute_score(pool.exp().permute(1, 2, 0).numpy(), targets.exp().permute(1, 2, 0).numpy())
    ours = acquisition.score("epig", pool, targets=targets)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5)


class LargestTensor(TorchDispatchMode):
    """Watches what is allocated; views of what was given do not count."""

    def __init__(self, *given):
        super().__init__()
        self.given, self.numbers = {tensor.untyped_storage().data_ptr() for tensor in given}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr() not in self.given:
            self.numbers = max(self.numbers, result.numel())
        return result


def test_blocks_give_what_the_whole_table_gives_and_nothing_larger_is_held():
    from acquisition.functions import epig
    from acquisition.predictions import summarize

    pool, targets = table(20, 300, 10).float(), table(20, 400, 10, seed=5).float()
    with LargestTensor(pool, targets) as watch:
        found = epig.build(targets=targets)(summarize(pool, torch.arange(300)))
    assert watch.numbers <= 2**18
    torch.testing.assert_close(found.double(), dense(pool, targets), atol=3e-6, rtol=0)


def test_several_labels_count_each_by_all_labels_of_all_targets():
    labels, targets = table(9, 6 * 3, 2).view(9, 6, 3, 2), table(9, 5 * 3, 2, seed=4).view(9, 5, 3, 2)
    found = acquisition.score("epig", labels, targets=targets)
    flat = acquisition.score("epig", labels.flatten(1, 2), targets=targets.flatten(1, 2))
    torch.testing.assert_close(found, flat.view(6, 3).sum(1), atol=1e-12, rtol=0)


def test_rank_pool_predicts_the_targets_with_the_same_networks(make_model, make_items):
    posterior = acquisition.mc_dropout(make_model("mlp"))
    pool, targets = make_items("mlp", 70, seed=1), make_items("mlp", 9, seed=2)
    ranked = acquisition.rank_pool(
        posterior, [pool[:33], pool[33:]], "epig", n_samples=12, keep=70, seed=5, targets=targets
    )
    log_probs = [acquisition.predict(posterior, items, 12, seed=5) for items in (pool, targets)]
    expected = dense(*log_probs)
    torch.testing.assert_close(ranked.scores.double(), expected[ranked.indices], atol=3e-6, rtol=0)
    assert (ranked.scores <= ranked.mutual_information + 1e-6).all()


def test_targets_are_asked_for(make_model, make_items):
    with pytest.raises(acquisition.InvalidOption, match="'epig' needs targets"):
        acquisition.score("epig", table(3, 4, 2))
    with pytest.raises(acquisition.InvalidOption, match="'epig' needs targets"):
        list(acquisition.score_pool(acquisition.mc_dropout(make_model("mlp")), make_items("mlp"), "epig"))


def test_targets_of_other_networks_and_other_kinds_are_refused():
    pool = table(3, 4, 2)
    with pytest.raises(acquisition.InvalidInput, match="3 networks predicted the items and 5 the targets"):
        acquisition.score("epig", pool, targets=table(5, 4, 2))
    with pytest.raises(acquisition.InvalidInput, match="at least one target"):
        acquisition.score("epig", pool, targets=pool[:, :0])
    with pytest.raises(acquisition.InvalidInput, match="log-probabilities of at least one target"):
        acquisition.score("epig", pool, targets=Gaussians(torch.zeros(3, 4), torch.zeros(3, 4)))
    with pytest.raises(acquisition.InvalidInput, match="sum to"):
        acquisition.score("epig", pool, targets=pool.exp())
