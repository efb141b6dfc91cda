"""Labels as numbers with noise, so that classification is regression by Gaussian processes.

Formula: a class label counts as Dirichlet(α), α = α_ε + 1 for the class and α_ε for the others, and
that as a log-normal: ỹ = ln α − σ²/2 with the noise σ² = ln(1/α + 1) (Milios et al. 2018,
https://arxiv.org/abs/1805.10915). Each independent label is two classes. Cost: O(C·n).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.gaussian.item_features import Labeled, scale_of, scalings, standardised
from acquisition.gaussian.kernel import FoundKernel, Marginals, found_kernel
from acquisition.randomness import generator
from acquisition.tasks import Task, losses

TEMPERATURES = [10 ** (step / 20) for step in range(-20, 21)]
N_SAMPLES = 64


class Values(NamedTuple):
    """What is regressed on: values_C_n · spread + offset; the noise None where it is to be found."""

    values_C_n: Tensor
    noise_C_n: Tensor | None
    offset: Tensor
    spread: Tensor


class Scaled(NamedTuple):
    """Standardised items and the kernel found on them."""

    items_n_D: Tensor
    scale: dict[str, Tensor]
    found: FoundKernel


def values_of(items: Labeled, alpha_epsilon: float = 0.01) -> Values:
    """Computes what Gaussian processes are to be regressed on."""
    if items.task == "regression":
        targets_n = items.targets.double()
        offset, spread = items.centre()
        return Values(((targets_n - offset) / spread)[None], None, offset, spread)
    alpha_C_n = alpha_epsilon + _counts(items)
    noise_C_n = torch.log(1 / alpha_C_n + 1)
    log_alpha_C_n = alpha_C_n.log() - noise_C_n / 2
    offset = log_alpha_C_n.mean()
    return Values(log_alpha_C_n - offset, noise_C_n, offset, torch.ones_like(offset))


def _counts(items: Labeled) -> Tensor:
    """Computes [C, n] of zeros and ones; of L labels first their presence, then their absence, [2L, n]."""
    if items.task == "multilabel":
        present_n_L = items.targets.double()
        return torch.cat([present_n_L, 1 - present_n_L], 1).T
    return functional.one_hot(items.targets, items.n_outputs).double().T


def scaled_by_evidence(features_N_D: Tensor, values: Values, scaling: str | None, steps: int = 20) -> Scaled:
    """Standardises and finds the kernel, in each way that is asked for; takes the larger evidence."""
    tried = [_scaled_one(features_N_D, values, name, steps) for name in scalings(scaling)]
    return max(tried, key=lambda each: each.found.log_evidence)


def _scaled_one(features_N_D: Tensor, values: Values, scaling: str, steps: int) -> Scaled:
    scale = scale_of(features_N_D, common=scaling == "common")
    items_n_D = standardised(features_N_D, scale)
    return Scaled(items_n_D, scale, found_kernel(items_n_D, values.values_C_n, values.noise_C_n, steps))


def interpreted(task: Task, functions: Tensor) -> Tensor:
    """Turns function values [..., C] into outputs of the task; of labels [..., 2L] into [..., L]."""
    if task != "multilabel":
        return functions
    present, absent = functions.chunk(2, -1)
    return present - absent


def best_temperature(others: Marginals, items: Labeled) -> float:
    """Returns the temperature of least loss, of predictions that were made without the item."""
    means_C_n, variances_C_n = others
    noise = torch.randn(N_SAMPLES, *means_C_n.shape, generator=generator(0), dtype=torch.float64)
    functions = (means_C_n + variances_C_n.sqrt() * noise.to(means_C_n.device)).transpose(1, 2)
    return temperature_of(items.task, interpreted(items.task, functions), items.targets)


def temperature_of(task: Task, outputs_T_N_C: Tensor, targets: Tensor) -> float:
    """Returns the temperature of least loss, of samples for items that they were not made from."""
    prepared = targets.double() if task == "multilabel" else targets
    repeated = prepared.expand(len(outputs_T_N_C), *targets.shape)

    def loss(temperature: float) -> float:
        return -float((-losses(task, outputs_T_N_C / temperature, repeated)).logsumexp(0).mean())

    return min(TEMPERATURES, key=loss)
