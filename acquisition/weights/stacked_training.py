"""Training of M equal networks together, their weights stacked: several times as fast for small heads.

The members see different orders of the data and different dropout. Without dropout the result is that of
training them one after the other, up to float rounding: AdamW works element by element. Large networks gain
little from company and need memory, so they are stacked in groups of at most ``TOGETHER`` weights, down to
groups of one; those too are trained by ``stacked_layers``, which is quicker than autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acquisition.dropout.chains import ELEMENTWISE, flat
from acquisition.randomness import derived_seed, forked
from acquisition.tasks import Task, losses
from acquisition.training import Data, Recipe, batches, checked_data, nth, outputs, refuse_loss
from acquisition.types import Progress
from acquisition.weights.stacked_layers import LINEAR, Stack

STACKABLE = (*ELEMENTWISE, *LINEAR, nn.Flatten, nn.Dropout, nn.LayerNorm)
TOGETHER = 2**22


def stackable(module: nn.Module) -> bool:
    """Whether a module is a chain of layers that stack well: no convolution, no batch statistics."""
    layers = flat(module)
    known = all(type(layer) in STACKABLE and not _unusual(layer) for layer in layers)
    linear = [layer for layer in layers if type(layer) in LINEAR]
    return known and bool(linear) and len(set(layers)) == len(layers)


def trainable(module: nn.Module) -> bool:
    """Whether a module that stacks has no frozen weights."""
    return stackable(module) and all(parameter.requires_grad for parameter in module.parameters())


def _unusual(layer: nn.Module) -> bool:
    flattens = isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1)
    return flattens or bool(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks)


def train_stacked(
    modules: list[nn.Module],
    inputs: Tensor,
    targets: Tensor,
    *,
    recipe: Recipe,
    seeds: list[int],
    progress: Progress,
) -> list[nn.Module]:
    """Trains modules in place and returns them in evaluation mode; errors as in ``train``."""
    data = checked_data(inputs, targets, recipe.device)
    for module in modules:
        module.to(recipe.device).train()
    with forked(derived_seed(seeds[0], 1)):  # their dropout, in the pass that checks the outputs
        outputs(modules[0], data.inputs[:1], data)
    size = group_size(modules[0], len(modules))
    n_groups = -(-len(modules) // size)
    for number, first in enumerate(range(0, len(modules), size)):
        report = nth(progress, number, n_groups)
        _train_group(modules[first : first + size], data, recipe, seeds[first : first + size], report)
    return [module.eval() for module in modules]


def group_size(module: nn.Module, n_modules: int) -> int:
    """Returns how many modules are to be trained together."""
    n_weights = sum(parameter.numel() for parameter in module.parameters())
    return max(1, min(n_modules, TOGETHER // n_weights))


def _train_group(
    modules: list[nn.Module], data: Data, recipe: Recipe, seeds: list[int], progress: Progress
) -> None:
    source = torch.Generator(recipe.device).manual_seed(derived_seed(seeds[0], 1))
    stack = Stack(modules, source)
    optimizer = recipe.optimizer([stack.values])
    stack.values.grad = stack.gradients
    n_epochs = recipe.n_epochs(len(data.inputs))
    for epoch in range(n_epochs):
        orders = [batches(len(data.inputs), recipe, seed, epoch) for seed in seeds]
        for rows in zip(*orders, strict=True):
            rows_M_B = torch.stack(rows)
            outputs_M_B_O = _step(stack, optimizer, data, rows_M_B)
        refuse_loss(losses(data.task, outputs_M_B_O, data.targets[rows_M_B]).sum(), epoch)
        progress(epoch + 1, n_epochs)
    stack.unstack(modules)


@torch.no_grad()
def _step(stack: Stack, optimizer: torch.optim.Optimizer, data: Data, rows_M_B: Tensor) -> Tensor:
    outputs_M_B_O = stack.forward(data.inputs[rows_M_B])
    targets_M_B = data.targets[rows_M_B]
    # Each member's loss is the mean over its own items, so that each member's gradient is its own.
    stack.backward(loss_gradient(data.task, outputs_M_B_O, targets_M_B) / rows_M_B.shape[1])
    optimizer.step()
    return outputs_M_B_O


def loss_gradient(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """Computes the gradient of ``losses`` in the outputs, for each item by itself."""
    if task == "classification":
        minus_one = outputs.new_full((*targets.shape, 1), -1.0)
        return torch.softmax(outputs, -1).scatter_add_(-1, targets[..., None], minus_one)
    if task == "multilabel":
        return torch.sigmoid(outputs) - targets
    with torch.enable_grad():
        leaf = outputs.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(losses(task, leaf, targets).sum(), leaf)
    return gradient
