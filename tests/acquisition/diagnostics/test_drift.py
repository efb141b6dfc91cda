import math

import pytest
import torch

import acquisition
from acquisition.diagnostics import drift


def predictions(n_items, seed, bias=0.0, scale=1.5):
    logits = scale * torch.randn(n_items, 4, generator=torch.Generator().manual_seed(seed))
    logits[:, 0] += bias
    return logits.log_softmax(-1)


def test_without_drift_false_alarms_come_as_often_as_promised():
    found = [
        drift(predictions(60, 2 * s), predictions(40, 2 * s + 1), permutations=99, alpha=0.1, seed=s)
        for s in range(200)
    ]
    energy_p = torch.tensor([result.tests[0].p_value for result in found])
    assert 0.42 < energy_p.mean() < 0.58
    assert 0.04 < (energy_p <= 0.1).double().mean() < 0.17
    # The alarm of both tests together has its own chance of alpha: 0.1 ± 3 · 0.021.
    assert 0.04 <= sum(result.drifted for result in found) / 200 <= 0.17
    assert all(result.p_value >= min(test.p_value for test in result.tests) for result in found)


@pytest.mark.parametrize("changed", [{"bias": 1.5}, {"scale": 6.0}, {"scale": 0.2}])
def test_drift_of_classes_and_of_confidence_is_detected(changed):
    found = [drift(predictions(150, s), predictions(100, 50 + s, **changed), seed=s) for s in range(5)]
    assert all(result.drifted for result in found)
    assert all("differ from" in result.verdict for result in found)
    assert all(result.tests[0].value > result.tests[0].threshold for result in found)


def test_energy_and_jensen_shannon_are_those_of_their_definitions():
    first, second = predictions(7, 0).double(), predictions(5, 1).double()
    energy, divergence = drift(first, second, permutations=200).tests
    x, y = first.exp(), second.exp()
    across = torch.stack([(a - b).norm() for a in x for b in y]).mean()
    inside = [torch.stack([(a - b).norm() for a in group for b in group]).mean() for group in (x, y)]
    assert energy.value == pytest.approx((2 * across - sum(inside)).item(), abs=1e-12)
    p, q = x.mean(0), y.mean(0)
    middle = (p + q) / 2
    expected = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    assert divergence.value == pytest.approx(expected.item(), abs=1e-12)


def test_opposite_certainties_are_ln_2_apart_and_equal_groups_are_not_apart():
    one, other = (
        torch.tensor([[1.0, 0.0]]).log().repeat(20, 1),
        torch.tensor([[0.0, 1.0]]).log().repeat(20, 1),
    )
    found = drift(one, other)
    assert found.tests[1].value == pytest.approx(math.log(2))
    assert found.tests[1].p_value == pytest.approx(1 / 501)
    same = drift(one, one)
    assert (same.p_value, same.drifted) == (1.0, False)
    assert same.tests[0].value == pytest.approx(0, abs=1e-12)


def test_features_drift_by_themselves_whatever_their_unit():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(120, 5, generator=generator), torch.randn(80, 5, generator=generator)
    unit = torch.tensor([1.0, 1000.0, 1.0, 0.001, 0.0])
    assert not drift(first * unit, second * unit, kind="features").drifted
    constant = torch.full((1, 1), 0.1, dtype=torch.float64)
    with_constant = [torch.cat([x.double(), constant.expand(len(x), 1)], 1) for x in (first, second)]
    plain = drift(first, second, kind="features").tests[0].value
    assert drift(*with_constant, kind="features").tests[0].value == pytest.approx(plain)
    second[:, 3] += 1
    found = drift(first * unit, second * unit, kind="features")
    assert found.drifted
    assert [test.name for test in found.tests] == ["energy"]


def test_large_groups_are_sampled_and_the_seed_repeats_it():
    first, second = predictions(500, 0), predictions(400, 1)
    found = drift(first, second, most_items=100, seed=3, permutations=99)
    assert (found.n_historical, found.n_incoming) == (100, 100)
    assert found == drift(first, second, most_items=100, seed=3, permutations=99)
    assert found != drift(first, second, most_items=100, seed=4, permutations=99)


def test_samples_count_by_their_mean(log_probs_T_N_C):
    mean = log_probs_T_N_C.logsumexp(0) - math.log(5)
    first = drift(log_probs_T_N_C[:, :15], log_probs_T_N_C[:, 15:])
    assert first.p_value == drift(mean[:15], mean[15:]).p_value


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda p: drift(p, p[:1]), acquisition.InvalidInput, "found 30 and 1"),
        (lambda p: drift(p, p[:0]), acquisition.InvalidInput, "no items"),
        (lambda p: drift(p, predictions(9, 0)[:, :3]), acquisition.InvalidInput, "sum to"),
        (lambda p: drift(p[:, :3], p, kind="features"), acquisition.InvalidInput, "3 and 4 numbers"),
        (lambda p: drift(p, p, kind="labels"), acquisition.InvalidOption, "kind is 'labels'"),
        (lambda p: drift(p, p, alpha=1e-4), acquisition.InvalidOption, "more permutations"),
        (lambda p: drift(p, p, alpha=1.0), acquisition.InvalidOption, "alpha is 1.0"),
        (lambda p: drift(p * torch.nan, p), acquisition.NotFinite, "rows"),
        (lambda p: drift(p * torch.nan, p, kind="features"), acquisition.NotFinite, "features"),
    ],
)
def test_what_can_not_be_compared_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(predictions(30, 0))
