import pytest
import torch

import acquisition
from acquisition import Candidates

GROUPS = torch.tensor([7] * 12 + [-2] * 6 + [3] * 2)
POOL = Candidates(scores_N=torch.arange(20.0).flip(0), groups_N=GROUPS)


def counts(chosen):
    groups = GROUPS[chosen.indices].tolist()
    return {group: groups.count(group) for group in (7, -2, 3)}


def test_groups_give_equal_shares_and_take_turns():
    chosen = acquisition.select("group_quota", POOL, 6)
    assert counts(chosen) == {7: 2, -2: 2, 3: 2}
    assert chosen.indices.tolist() == [12, 18, 0, 13, 19, 1]
    assert torch.equal(chosen.gains, POOL.scores_N[chosen.indices])


def test_what_a_group_lacks_goes_to_the_others():
    assert counts(acquisition.select("group_quota", POOL, 14)) == {7: 6, -2: 6, 3: 2}


def test_shares_are_proportional_where_that_is_asked_for():
    assert counts(acquisition.select("group_quota", POOL, 10, balance="proportional")) == {7: 6, -2: 3, 3: 1}


@pytest.mark.parametrize("balance", ["proportional", "free"])
def test_no_group_gives_more_than_its_largest_share(balance):
    chosen = acquisition.select("group_quota", POOL, 10, balance=balance, largest_share=0.5)
    assert counts(chosen)[7] == 5


def test_free_keeps_the_inner_order_and_limits_only():
    chosen = acquisition.select("group_quota", POOL, 5, balance="free", largest_share=0.4)
    assert chosen.indices.tolist() == [0, 1, 12, 13, 18]
    free = acquisition.select("group_quota", POOL, 5, balance="free")
    assert free.indices.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("balance", ["equal", "proportional", "free"])
def test_the_limit_is_lifted_where_the_others_have_too_few(balance):
    chosen = acquisition.select("group_quota", POOL, 18, balance=balance, largest_share=0.2)
    assert counts(chosen) == {7: 10, -2: 6, 3: 2}


@pytest.mark.parametrize(
    ("options", "match"),
    [({"balance": "fair"}, "balance is 'fair'"), ({"largest_share": 0.0}, "largest_share is")],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(acquisition.InvalidOption, match=match):
        acquisition.select("group_quota", POOL, 1, **options)
