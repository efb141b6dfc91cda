"""Networks trained together are those trained one after the other."""

import copy

import pytest
import torch
from torch import nn

from acquisition.errors import InvalidInput, NotFinite
from acquisition.heads import Heteroscedastic
from acquisition.randomness import generator
from acquisition.tasks import TASKS, losses
from acquisition.training import Recipe, made, train
from acquisition.weights import stacked_training
from acquisition.weights.stacked_layers import Dropout, Stack
from acquisition.weights.stacked_training import (
    group_size,
    loss_gradient,
    stackable,
    train_stacked,
    trainable,
)

RECIPE = Recipe.of(4, 16, 1e-2, 1e-2, "cpu")
SEEDS = [3, 4, 5]

CHAINS = {
    "one layer": lambda: nn.Linear(6, 4),
    "relu": lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 4)),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 9), nn.ReLU()), nn.Linear(9, 4)),
    "no bias": lambda: nn.Sequential(nn.Linear(6, 9, bias=False), nn.GELU(), nn.Linear(9, 4, bias=False)),
    "norms": lambda: nn.Sequential(
        nn.LayerNorm(6), nn.Linear(6, 9), nn.LayerNorm(9), nn.ReLU(),
        nn.Linear(9, 9), nn.LayerNorm(9, elementwise_affine=False), nn.Tanh(), nn.Linear(9, 4),
    ),
    "idle": lambda: nn.Sequential(
        nn.Identity(), nn.ReLU(), nn.Linear(6, 9), nn.Dropout(0.0), nn.SiLU(), nn.Linear(9, 4), nn.ReLU()
    ),
    "wide": lambda: nn.Sequential(
        nn.Linear(6, 700), nn.ReLU(), nn.Linear(700, 700), nn.ReLU(), nn.Linear(700, 4)
    ),
}  # fmt: skip


def _both(factory, inputs, targets, monkeypatch, together):
    monkeypatch.setattr(stacked_training, "TOGETHER", together)
    stacked = [made(factory, seed) for seed in SEEDS]
    in_turn = copy.deepcopy(stacked)
    train_stacked(stacked, inputs, targets, recipe=RECIPE, seeds=SEEDS, progress=lambda done, total: None)
    for module, seed in zip(in_turn, SEEDS, strict=True):
        train(module, inputs, targets, recipe=RECIPE, seed=seed, progress=lambda done, total: None)
    return stacked, in_turn


@pytest.mark.parametrize("together", [1, 2**22])
@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_without_dropout_it_is_training_in_turn(chain, together, blobs, monkeypatch):
    assert stackable(CHAINS[chain]())
    stacked, in_turn = _both(CHAINS[chain], *blobs, monkeypatch, together)
    for one, other in zip(stacked, in_turn, strict=True):
        assert not one.training
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(parameter, other.get_parameter(name), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("together", [1, 2**22])
def test_items_of_several_rows_are_flattened_like_in_turn(together, blobs, monkeypatch):
    def factory():
        return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(10, 4))

    stacked, in_turn = _both(factory, blobs[0].view(-1, 2, 3), blobs[1], monkeypatch, together)
    for one, other in zip(stacked, in_turn, strict=True):
        torch.testing.assert_close(one[0].weight, other[0].weight, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_it_is_so_for_labels_and_numbers(task, blobs, monkeypatch):
    inputs, targets = blobs
    wanted = (
        torch.stack([targets == 1, targets > 1], 1).long() if task == "multilabel" else inputs[:, 0] * 0.3
    )
    stacked, in_turn = _both(
        lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), Heteroscedastic(9)),
        inputs, wanted, monkeypatch, 2**22,
    )  # fmt: skip
    for one, other in zip(stacked, in_turn, strict=True):
        torch.testing.assert_close(one[2].weight, other[2].weight, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("task", TASKS)
def test_the_gradient_of_the_loss_is_that_of_autograd(task):
    source = generator(0)
    outputs = torch.randn(3, 5, 2, generator=source, dtype=torch.float64).requires_grad_()
    targets = {
        "classification": torch.randint(0, 2, (3, 5), generator=source),
        "multilabel": torch.randint(0, 2, (3, 5, 2), generator=source).double(),
        "regression": torch.randn(3, 5, generator=source, dtype=torch.float64),
    }[task]
    losses(task, outputs, targets).sum().backward()
    torch.testing.assert_close(loss_gradient(task, outputs.detach(), targets), outputs.grad)


def test_gradients_through_masks_are_those_of_autograd():
    """The same masks, applied by autograd: ReLU before and after dropout, and a mask on the inputs."""
    modules = [
        made(lambda: nn.Sequential(
            nn.Dropout(0.2), nn.Linear(6, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 9), nn.Dropout(0.3),
            nn.ReLU(), nn.Linear(9, 4),
        ), seed) for seed in (0, 1)
    ]  # fmt: skip
    stack = Stack(modules, generator(0))
    items = torch.randn(2, 7, 6, generator=generator(1))
    with torch.no_grad():
        outputs = stack.forward(items)
        stack.backward(torch.ones_like(outputs))
    masks = [layer.mask for layer in stack.layers if isinstance(layer, Dropout)]
    for m, module in enumerate(modules):
        hidden, left = items[m], iter(masks)
        for layer in module:
            hidden = hidden * next(left)[m] if isinstance(layer, nn.Dropout) else layer(hidden)
        torch.testing.assert_close(hidden, outputs[m])
        hidden.sum().backward()
    expected = [
        torch.stack([a.grad, b.grad]).flatten()
        for a, b in zip(*(m.parameters() for m in modules), strict=True)
    ]
    torch.testing.assert_close(stack.gradients, torch.cat(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_masks_keep_the_right_share_and_the_mean(p):
    mask = Dropout(p, generator(0)).forward(torch.ones(4, 100, 101))
    assert mask.unique().tolist() == [0.0, pytest.approx(1 / (1 - p))]
    assert float((mask == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float((mask[0] != mask[1]).float().mean()) == pytest.approx(2 * p * (1 - p), abs=0.02)


def test_a_mask_that_drops_everything_leaves_nothing():
    assert (Dropout(1.0, generator(0)).forward(torch.ones(2, 3, 4)) == 0).all()


def test_dropout_changes_the_result_and_its_seed_repeats_it(blobs):
    def trained(p):
        modules = [
            made(lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Dropout(p), nn.Linear(9, 4)), s)
            for s in SEEDS
        ]
        train_stacked(modules, *blobs, recipe=RECIPE, seeds=SEEDS, progress=lambda done, total: None)
        return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])

    assert torch.equal(trained(0.5), trained(0.5))
    assert not torch.allclose(trained(0.5), trained(0.0))


def test_the_global_random_state_stays(blobs):
    before = torch.get_rng_state()
    modules = [made(lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 4)), seed) for seed in SEEDS]
    train_stacked(modules, *blobs, recipe=RECIPE, seeds=SEEDS, progress=lambda done, total: None)
    assert torch.equal(torch.get_rng_state(), before)


def test_large_networks_are_trained_in_smaller_groups():
    assert group_size(nn.Linear(64, 10), 20) == 20
    assert group_size(nn.Linear(4096, 1024), 20) == 1
    assert 1 < group_size(nn.Sequential(nn.Linear(1024, 512)), 20) < 20


def test_progress_goes_on_over_the_groups(blobs, monkeypatch):
    monkeypatch.setattr(stacked_training, "TOGETHER", 1)
    calls = []
    modules = [made(lambda: nn.Linear(6, 4), seed) for seed in SEEDS]
    train_stacked(modules, *blobs, recipe=RECIPE, seeds=SEEDS, progress=lambda *call: calls.append(call))
    assert calls == [(n, 12) for n in range(1, 13)]


def test_unusual_chains_are_not_stacked():
    shared = nn.Linear(6, 6)
    frozen = nn.Linear(6, 4).requires_grad_(False)
    hooked = nn.Linear(6, 4)
    hooked.register_forward_hook(lambda *_: None)
    flat = nn.Sequential(nn.Flatten(0), nn.Linear(6, 4))
    for module in (nn.Sequential(shared, shared), hooked, nn.ReLU(), flat):
        assert not stackable(module)
    assert stackable(frozen)
    assert not trainable(frozen)


def test_a_training_that_runs_away_is_told(blobs):
    recipe = Recipe.of(60, 16, 1e30, 0.0, "cpu")
    with pytest.raises(NotFinite, match="lower learning_rate"):
        train_stacked(
            [made(lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4)), 0)], *blobs,
            recipe=recipe, seeds=[0], progress=lambda done, total: None,
        )  # fmt: skip


def test_outputs_that_do_not_fit_are_refused(blobs):
    with pytest.raises(InvalidInput, match="only 2 outputs"):
        train_stacked(
            [made(lambda: nn.Linear(6, 2), 0)], *blobs,
            recipe=RECIPE, seeds=[0], progress=lambda done, total: None,
        )  # fmt: skip
