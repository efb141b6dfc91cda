"""What ``cluster_quota``, ``group_quota`` and ``distinct`` have in common."""

import pytest
import torch

import acquisition
from acquisition import Candidates

WRAPPERS = ("cluster_quota", "distinct", "group_quota")


def candidates(n_items=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Candidates(
        scores_N=torch.rand(n_items, generator=generator),
        features_N_D=torch.randn(n_items, 3, generator=generator),
        log_probs_T_N_C=torch.randn(6, n_items, 3, generator=generator).log_softmax(-1),
        groups_N=torch.randint(3, (n_items,), generator=generator),
    )


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("inner", sorted(acquisition.catalog()["selectors"]))
def test_every_selector_can_be_the_inner_one(name, inner):
    indices, gains = acquisition.select(name, candidates(), 8, seed=4, inner=inner)
    assert len(set(indices.tolist())) == 8
    assert gains.isfinite().all()


@pytest.mark.parametrize("name", WRAPPERS)
def test_what_the_inner_selector_needs_has_to_be_there(name):
    bare = Candidates(features_N_D=torch.zeros(4, 2), groups_N=torch.zeros(4, dtype=torch.long))
    with pytest.raises(acquisition.InvalidInput, match="needs scores"):
        acquisition.select(name, bare, 2)
    with pytest.raises(acquisition.InvalidInput, match="needs log_probs"):
        acquisition.select(name, bare, 2, inner="badge")
    assert len(acquisition.select(name, bare, 2, inner="core_set").indices) == 2


@pytest.mark.parametrize("name", WRAPPERS)
def test_inner_selectors_and_their_options_are_checked(name):
    with pytest.raises(acquisition.UnknownMethod, match="Did you mean 'power'"):
        acquisition.select(name, candidates(), 2, inner="powr")
    with pytest.raises(acquisition.InvalidOption, match="'power' takes no option 'bta'"):
        acquisition.select(name, candidates(), 2, inner="power", inner_options={"bta": 1})
    with pytest.raises(acquisition.InvalidOption, match="inner_options is 3"):
        acquisition.select(name, candidates(), 2, inner="power", inner_options=3)


@pytest.mark.parametrize("name", WRAPPERS)
def test_options_reach_the_inner_selector(name):
    sharp = acquisition.select(name, candidates(), 8, seed=4, inner="power", inner_options={"beta": 1e6})
    assert set(sharp.indices.tolist()) == set(
        acquisition.select(name, candidates(), 8, seed=4).indices.tolist()
    )


def test_wrappers_go_into_each_other():
    given = candidates()
    inner = {"inner": "group_quota", "inner_options": {"inner": "power", "inner_options": {"beta": 2.0}}}
    chosen = acquisition.select("distinct", given, 9, seed=1, threshold=1.0, **inner)
    assert torch.bincount(given.groups_N[chosen.indices]).tolist() == [3, 3, 3]
