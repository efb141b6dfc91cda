import pytest
import torch

import acquisition
from acquisition import Candidates

SIZES = (24, 12, 4)
OWNERS = torch.repeat_interleave(torch.arange(3), torch.tensor(SIZES))


def pool(seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = 20 * torch.eye(3)
    return Candidates(
        features_N_D=centres[OWNERS] + torch.randn(40, 3, generator=generator),
        scores_N=torch.rand(40, generator=generator),
    )


def counts(chosen):
    return torch.bincount(OWNERS[chosen.indices], minlength=3).tolist()


def test_as_many_clusters_as_the_batch_give_the_best_of_each():
    given = pool()
    chosen = acquisition.select("cluster_quota", given, 3)
    best = [int(given.scores_N.masked_fill(owner != OWNERS, -1).argmax()) for owner in range(3)]
    assert sorted(chosen.indices.tolist()) == sorted(best)
    assert torch.equal(chosen.gains, given.scores_N[chosen.indices])


def test_shares_are_equal_or_proportional():
    assert counts(acquisition.select("cluster_quota", pool(), 9, clusters=3)) == [3, 3, 3]
    proportional = acquisition.select("cluster_quota", pool(), 10, clusters=3, balance="proportional")
    assert counts(proportional) == [6, 3, 1]


def test_a_cluster_that_is_exhausted_leaves_its_share_to_the_others():
    assert counts(acquisition.select("cluster_quota", pool(), 20, clusters=3)) == [8, 8, 4]


@pytest.mark.parametrize("options", [{"balance": "free"}, {"clusters": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(acquisition.InvalidOption, match=r"is .* expected"):
        acquisition.select("cluster_quota", pool(), 1, **options)
