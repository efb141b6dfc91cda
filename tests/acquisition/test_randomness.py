import random

import numpy as np
import pytest
import torch

from acquisition.randomness import derived_seed, forked, mix


def _numbers():
    return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()  # noqa: NPY002


def test_a_fork_seeds_all_generators_and_puts_them_back():
    with forked(7):
        first = _numbers()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    with forked(7):
        assert _numbers() == first
    with pytest.raises(ZeroDivisionError), forked(7):
        random.random() / 0
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_hashes_depend_on_seed_and_counter_only():
    rows = np.arange(1000, dtype=np.uint64)
    assert np.array_equal(mix(1, rows)[500:], mix(1, rows[500:]))
    assert len({*mix(1, rows).tolist(), *mix(2, rows).tolist()}) == 2000
    bits = np.unpackbits(mix(3, rows).view(np.uint8)).mean()
    assert bits == pytest.approx(0.5, abs=0.01)


def test_derived_seeds_differ_and_fit_a_generator():
    seeds = {derived_seed(seed, index) for seed in range(-20, 20) for index in range(20)}
    assert len(seeds) == 800
    assert all(0 <= seed < 2**63 for seed in seeds)
