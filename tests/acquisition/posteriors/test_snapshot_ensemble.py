"""Snapshots of one training."""

import itertools

import pytest
import torch
from torch import nn

import acquisition
from acquisition.posteriors.snapshot_ensemble import cyclic_rate


def test_the_rate_falls_along_half_a_wave_in_each_cycle():
    rates = [cyclic_rate(0.2, step, 10) for step in range(10)]
    assert rates[0] == 0.2
    assert rates[5] == pytest.approx(0.1)
    assert cyclic_rate(0.2, 10, 10) == pytest.approx(0)
    assert rates == sorted(rates, reverse=True)


def test_snapshots_are_the_members_in_the_order_of_the_training(blobs):
    module_factory = lambda: nn.Linear(6, 4)  # noqa: E731
    few = acquisition.fit("snapshot_ensemble", module_factory, blobs, snapshots=3, epochs=30)
    assert few.max_samples == 3
    weights = [few.state()[f"{m}.weight"] for m in range(3)]
    steps = [float((b - a).norm()) for a, b in itertools.pairwise(weights)]
    assert all(step > 0 for step in steps)


def test_a_cycle_is_as_long_as_its_share_of_the_epochs(blobs):
    """Two epochs of one step each and two snapshots: each cycle is one step at the full rate."""
    module = nn.Linear(6, 4)
    start = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    def same():
        made = nn.Linear(6, 4)
        made.load_state_dict(start)
        return made

    posterior = acquisition.fit(
        "snapshot_ensemble", same, blobs, snapshots=2, epochs=2, batch_size=60, weight_decay=0.0,
        learning_rate=0.1,
    )  # fmt: skip
    state = posterior.state()
    moved = (state["0.weight"] - start["weight"]).abs()
    # The first step of Adam moves every weight by the rate.
    torch.testing.assert_close(moved, torch.full_like(moved, 0.1), rtol=1e-3, atol=0)


def test_one_snapshot_is_refused(blobs):
    with pytest.raises(acquisition.NotStochastic, match="use snapshots=2 or more"):
        acquisition.fit("snapshot_ensemble", lambda: nn.Linear(6, 4), blobs, snapshots=1)
