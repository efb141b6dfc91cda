"""How the likelihood bends around a trained adaptation: Jacobians and the generalised Gauss-Newton sum.

GGN = Σ_n J_nᵀ Λ_n J_n, with J_n of shape [outputs, weights] and Λ_n the Fisher information of the outputs:
diag(p) − p·pᵀ for classes, diag(p·(1 − p)) for labels, diag(1/σ², 1/2) for a mean and a log variance. Cost:
one forward pass of each item and as many backward passes as there are outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from acquisition.lora.adaptation import Adapted
from acquisition.lora.low_rank import Precision, Sketch
from acquisition.randomness import generator
from acquisition.tasks import Task, losses
from acquisition.training import Data

PRIORS = tuple(float(10 ** (exponent / 2)) for exponent in range(-4, 9))
SCORED_DRAWS = 256


def curvature(network: Adapted, tensors: Mapping[str, Tensor], data: Data, directions: int) -> Sketch:
    """Adds up the GGN of the data."""
    sketch = Sketch(directions, sum(tensor.numel() for tensor in tensors.values()), network.device)
    for item in data.inputs.unsqueeze(1):
        outputs_O, rows_O_P = jacobian(network, tensors, item)
        sketch.add(fisher_root(data.task, outputs_O).T @ rows_O_P)
    return sketch


def jacobian(network: Adapted, tensors: Mapping[str, Tensor], item: Tensor) -> tuple[Tensor, Tensor]:
    """Computes the outputs of one item, [O], and their derivatives, [O, P]."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
    with differentiable():
        outputs_O = network.run(leaves, item)[0]
        found = torch.autograd.grad(
            outputs_O,
            list(leaves.values()),
            torch.eye(len(outputs_O)).to(outputs_O),
            is_grads_batched=True,
            allow_unused=True,
            materialize_grads=True,
        )
    return outputs_O.detach(), torch.cat([gradient.reshape(len(outputs_O), -1) for gradient in found], 1)


@contextmanager
def differentiable() -> Iterator[None]:
    """Records gradients whatever is around, with the kind of attention that has forward derivatives."""
    with torch.inference_mode(False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def fisher_root(task: Task, outputs_O: Tensor) -> Tensor:
    """Returns L with Λ = L·Lᵀ."""
    if task == "classification":
        p_O = outputs_O.softmax(-1)
        return torch.diag(p_O.sqrt()) - torch.outer(p_O, p_O.sqrt())
    if task == "multilabel":
        return torch.diag((torch.sigmoid(outputs_O) * torch.sigmoid(-outputs_O)).sqrt())
    return torch.diag(torch.stack([(-outputs_O[1] / 2).exp(), torch.full_like(outputs_O[1], math.sqrt(0.5))]))


def best_prior(
    network: Adapted, tensors: Mapping[str, Tensor], held: Data, sketch: Sketch, seed: int
) -> float:
    """Finds the prior precision of ``PRIORS`` with the smallest predictive loss on held-out items.

    Of equal ones it takes the largest, which trusts the trained weights most.
    """
    precisions = [sketch.precision(prior) for prior in PRIORS]
    totals = torch.zeros(len(PRIORS), dtype=torch.float64)
    for row, item in enumerate(held.inputs.unsqueeze(1)):
        outputs_O, rows_O_P = jacobian(network, tensors, item)
        noise_T_O = torch.randn(SCORED_DRAWS, len(outputs_O), generator=generator(seed), dtype=torch.float64)
        for number, precision in enumerate(precisions):
            drawn_T_O = outputs_O.double().cpu() + noise_T_O @ _root(precision, rows_O_P).T
            totals[number] += _loss(held.task, drawn_T_O, held.targets[row].cpu())
    return max(
        prior for prior, total in zip(PRIORS, totals.tolist(), strict=True) if total <= float(totals.min())
    )


def _root(precision: Precision, rows_O_P: Tensor) -> Tensor:
    """A square root of the outputs' covariance, which has no full rank where outputs move together."""
    values, vectors = torch.linalg.eigh(precision.covariance(rows_O_P).cpu())
    root_O_O: Tensor = vectors * values.clamp_min(0).sqrt()
    return root_O_O


def _loss(task: Task, outputs_T_O: Tensor, target: Tensor) -> float:
    many = target.expand(len(outputs_T_O), *target.shape)
    found_T = losses(task, outputs_T_O, many.double() if many.is_floating_point() else many)
    return float(math.log(len(found_T)) - (-found_T).logsumexp(0))
