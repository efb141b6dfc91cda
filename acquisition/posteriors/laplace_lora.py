"""Laplace-LoRA: a Gaussian over the LoRA adapters and the head of one fine-tuned network, linearised.

The adapters and the head θ are trained to θ*, the rest is frozen. Then p(θ) ≈ N(θ*, (GGN + τ·I)⁻¹), and a
sample is the network linearised at θ*:

    f(x; θ*) + J(x)·(θ_t − θ*)

so it moves the outputs by what its weights say and no further; samples put into the network itself would
leave the region where the Gaussian holds. The GGN covers adapters and head together: its ``directions``
leading directions in full, what remains by its diagonal. It is exact where ``directions`` is at least
labels × outputs; with ``directions=0`` it is the diagonal Laplace approximation.

τ (``prior_precision``) is a number, or chosen: a fifth of the labels is held out, the network trained on
the rest, and of 0.01 … 10 000 in steps of √10 the one with the smallest held-out predictive loss is kept;
then all labels are trained on. With fewer than five labels τ is 1.

Cost: one training (two where τ is chosen); per label one backward pass per output; per item and sample
about three forward passes; of a large network on a CPU, per item one backward pass per output, whatever the
number of samples. Memory and checkpoint: weights × (directions + 2) numbers. Tune ``rank`` and
``learning_rate`` first.

Source: Yang et al. 2023, https://arxiv.org/abs/2308.13111; there the GGN is a Kronecker product per layer
and τ comes from the evidence. Linearised samples: Immer et al. 2021, https://arxiv.org/abs/2008.08400.
Needs the extra ``lora``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp, vmap

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.lora.adaptation import Adapted, Lora, adapted, readapted, row_chunks
from acquisition.lora.curvature import best_prior, curvature, differentiable, jacobian
from acquisition.lora.low_rank import Precision
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import Task, task_of
from acquisition.training import Data, Recipe, beginning_at, checked_data, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

SPLIT_SEED, SCORE_SEED = 2**22, 2**22 + 1
HELD_SHARE, LEAST_SPLIT = 0.2, 5
TANGENT_NUMBERS = 2**16
#: Weights times numbers of an item; below it the calls for single items cost more than they save.
HEAVY_ITEM = 2**26


class _Laplace(NamedTuple):
    prior_precision: float | None
    directions: int


def build(
    *,
    prior_precision: float | None = None,
    directions: int = 64,
    rank: int = 8,
    alpha: float = 16.0,
    targets: Sequence[str] | None = None,
    head: Sequence[str] | None = None,
    fresh_head: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; for the options of adapters and training see ``Lora`` and ``Recipe``."""
    check_count("directions", directions, 0)
    if prior_precision is not None and not 0 < prior_precision < math.inf:
        raise InvalidOption(
            f"prior_precision is {prior_precision!r}; a number above 0, or None to choose it, is expected."
        )
    return partial(
        _fit,
        lora=Lora.of(rank, alpha, targets, head, fresh_head=fresh_head),
        recipe=Recipe.of(epochs, batch_size, learning_rate, weight_decay, device),
        laplace=_Laplace(prior_precision, directions),
    )


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    lora: Lora,
    recipe: Recipe,
    laplace: _Laplace,
) -> LaplaceLora:
    network = adapted(module_factory, lora)
    data = checked_data(inputs, targets, recipe.device)
    known, held = _split(len(inputs), seed)
    chosen, tried = laplace.prior_precision, 0
    total = recipe.n_epochs(len(inputs))
    if chosen is None and len(held):
        tried = recipe.n_epochs(len(known))
        report = beginning_at(progress, 0, tried + total)
        part = _rows(data, known)
        tensors = _trained(network, part, lora, recipe, seed, report)
        sketch = curvature(network, tensors, part, laplace.directions)
        chosen = best_prior(network, tensors, _rows(data, held), sketch, derived_seed(seed, SCORE_SEED))
    tensors = _trained(network, data, lora, recipe, seed, beginning_at(progress, tried, tried + total))
    sketch = curvature(network, tensors, data, laplace.directions)
    return LaplaceLora(network, tensors, sketch.precision(chosen or 1.0), task_of(targets))


def _split(n_items: int, seed: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(n_items, generator=generator(derived_seed(seed, SPLIT_SEED)))
    n_held = round(HELD_SHARE * n_items) if n_items >= LEAST_SPLIT else 0
    return order[n_held:], order[:n_held]


def _rows(data: Data, rows: Tensor) -> Data:
    there = rows.to(data.inputs.device)
    return Data(data.inputs[there], data.targets[there], data.task)


def _trained(
    network: Adapted, data: Data, lora: Lora, recipe: Recipe, seed: int, progress: Progress
) -> dict[str, Tensor]:
    network.restart(seed, fresh_head=lora.fresh_head)
    train(network, data.inputs, data.targets, recipe=recipe, seed=seed, progress=progress)
    return network.trained()


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> LaplaceLora:
    """Puts a saved state beside the frozen weights of the factory."""
    mean = {key.removeprefix("mean."): t.clone() for key, t in state.items() if key.startswith("mean.")}
    if not mean or not {"precision.diagonal", "precision.directions"} <= state.keys():
        raise InvalidInput("The saved state is none of Laplace-LoRA: it holds no mean or no precision.")
    network = readapted(module_factory, state, mean)
    precision = Precision(state["precision.diagonal"].clone(), state["precision.directions"].clone())
    return LaplaceLora(network, mean, precision, task)


class LaplaceLora:
    """A Gaussian over the adapters and the head of a network."""

    max_samples = None

    def __init__(
        self, network: Adapted, mean: Mapping[str, Tensor], precision: Precision, task: Task
    ) -> None:
        self._network, self.precision, self.task = network, precision, task
        # In the network's order, which a file does not keep: weights are counted through all tensors.
        self._mean = {name: mean[name] for name in network.trained()}
        self.n_outputs = network.n_outputs()

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self._network.device

    def features(self, inputs: Tensor) -> Tensor:
        """Returns the inputs: adapters sit in the first layers too."""
        return inputs

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws deviations_T_P of the weights from their mean."""
        check_count("n_samples", n_samples)
        return Draw(state={"deviations": self.precision.sample(n_samples, seed)})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C of the linearised network."""
        deviations_T_P = draw.state["deviations"].to(self.device)
        with differentiable(), torch.no_grad():
            # Copies: what was made in inference mode can not be differentiated.
            deviations_T_P, inputs = deviations_T_P.clone(), features.clone()
            if self._by_item(len(draw), inputs):
                return torch.stack([self._one(deviations_T_P, item) for item in inputs.unsqueeze(1)], 1)
            return torch.cat([self._linearised(deviations_T_P, rows) for rows in row_chunks(inputs)], 1)

    def _by_item(self, n_samples: int, inputs: Tensor) -> bool:
        """Whether each item's own derivatives cost less than a derivative of all items along each sample."""
        work = inputs[:1].numel() * sum(parameter.numel() for parameter in self._network.parameters())
        return self.n_outputs < n_samples and work >= HEAVY_ITEM and self.device.type == "cpu"

    def _one(self, deviations_T_P: Tensor, item: Tensor) -> Tensor:
        outputs_O, rows_O_P = jacobian(self._network, self._mean, item)
        return outputs_O + deviations_T_P @ rows_O_P.T

    def _linearised(self, deviations_T_P: Tensor, inputs: Tensor) -> Tensor:
        def outputs(tensors: dict[str, Tensor]) -> Tensor:
            return self._network.run(tensors, inputs)

        def moved(deviation_P: Tensor) -> Tensor:
            change: Tensor = jvp(outputs, (self._mean,), (self._shaped(deviation_P),))[1]
            return change

        together = max(1, TANGENT_NUMBERS // max(1, inputs.numel()))
        moved_T_N_C: Tensor = vmap(moved, chunk_size=together)(deviations_T_P)
        return outputs(self._mean) + moved_T_N_C

    def _shaped(self, deviation_P: Tensor) -> dict[str, Tensor]:
        parts = torch.split(deviation_P, [tensor.numel() for tensor in self._mean.values()])
        named = zip(self._mean.items(), parts, strict=True)
        return {name: part.view(tensor.shape) for (name, tensor), part in named}

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D: what the head of the trained network is given."""
        with torch.inference_mode():
            return torch.cat([self._network.embed(self._mean, rows) for rows in row_chunks(inputs)])

    def to(self, device: torch.device | str) -> LaplaceLora:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        mean = {name: tensor.to(device) for name, tensor in self._mean.items()}
        precision = Precision(*(tensor.to(device) for tensor in self.precision))
        return LaplaceLora(self._network.moved(device), mean, precision, self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns mean and precision of the weights, and the hash of the frozen ones they belong to."""
        return {
            **self._network.fixed(),
            **{f"mean.{name}": tensor.clone() for name, tensor in self._mean.items()},
            "precision.diagonal": self.precision.diagonal_P.clone(),
            "precision.directions": self.precision.directions_R_P.clone(),
        }
