"""A posterior whose samples are weights: T weight sets of one module, drawn from T keys.

A key is a seed, or the number of a kept sample, so a network depends neither on the other networks nor on the
batch, the chunk or the order of the items. The weights of a draw are kept until the next draw where they fit
into 256 MiB; of a larger module they are made anew for each chunk, one network at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.dropout.chains import flat
from acquisition.dropout.masks import draw_seeds
from acquisition.last_layer import last_input
from acquisition.randomness import generator
from acquisition.tasks import Task
from acquisition.types import Draw, ModuleFactory
from acquisition.weights.flat_weights import Layout, restored_mean, shared_state
from acquisition.weights.stacked_networks import LINEAR, Networks, networks, one

KEPT_BYTES = 2**28


class Sampler(Protocol):
    """Makes weights from keys."""

    layout: Layout

    @property
    def max_samples(self) -> int | None:
        """Counts the kept samples; None where a key is a seed."""
        ...

    def weights(self, key: int) -> dict[str, Tensor]:
        """Makes the parameters, and buffers that go with them, of one network."""
        ...

    def to(self, device: torch.device | str) -> Sampler:
        """Returns the sampler on a device."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Returns its tensors."""
        ...


class Gaussian:
    """Independent normal weights: mean_P and std_P."""

    max_samples: int | None = None

    def __init__(self, layout: Layout, mean_P: Tensor, std_P: Tensor) -> None:
        self.layout = layout
        self.mean_P = mean_P
        self.std_P = std_P

    def weights(self, key: int) -> dict[str, Tensor]:
        """Draws μ + σ ε with the noise of the key."""
        return self.layout.views(self.mean_P + self.std_P * noise(key, self.mean_P))

    def to(self, device: torch.device | str) -> Gaussian:
        """Returns the sampler on a device."""
        return Gaussian(self.layout, self.mean_P.to(device), self.std_P.to(device))

    def state(self) -> dict[str, Tensor]:
        """Returns the mean and the standard deviation of each weight."""
        return self.layout.named("mean", self.mean_P) | self.layout.named("std", self.std_P)


class Kept:
    """K kept weight sets, with the buffers that each had when it was kept."""

    def __init__(self, layout: Layout, samples_K_P: Tensor, buffers_K: Mapping[str, Tensor]) -> None:
        self.layout = layout
        self.samples_K_P = samples_K_P
        self.buffers_K = buffers_K
        self.max_samples: int | None = len(samples_K_P)

    def weights(self, key: int) -> dict[str, Tensor]:
        """Takes kept sample number ``key``."""
        buffers = {name: tensor[key] for name, tensor in self.buffers_K.items()}
        return self.layout.views(self.samples_K_P[key]) | buffers

    def to(self, device: torch.device | str) -> Kept:
        """Returns the sampler on a device."""
        buffers = {name: tensor.to(device) for name, tensor in self.buffers_K.items()}
        return Kept(self.layout, self.samples_K_P.to(device), buffers)

    def state(self) -> dict[str, Tensor]:
        """Returns the samples, their buffers and their mean."""
        buffers = {f"buffers.{name}": tensor for name, tensor in self.buffers_K.items()}
        mean = self.layout.named("mean", self.samples_K_P.mean(0))
        return mean | self.layout.named("samples", self.samples_K_P) | buffers


def noise(key: int, like_P: Tensor, n_values: int | None = None) -> Tensor:
    """Draws standard normal numbers that belong to a key, the same on every device."""
    size = len(like_P) if n_values is None else n_values
    return torch.randn(size, generator=generator(key), dtype=like_P.dtype).to(like_P.device)


class _Prepared(NamedTuple):
    """The networks that were made last, and what for."""

    made_for: tuple[object, ...]
    run: Networks


class WeightPosterior:
    """A posterior of a module in evaluation mode, whose own parameters are the mean."""

    def __init__(self, module: nn.Module, sampler: Sampler, task: Task) -> None:
        self._module = module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        self._sampler = sampler
        self.task = task
        self.max_samples = sampler.max_samples
        self._prepared: _Prepared | None = None
        last = flat(module)[-1]
        self.n_outputs = last.out_features if isinstance(last, LINEAR) else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self._module.parameters()).device

    def features(self, inputs: Tensor) -> Tensor:
        """Returns the inputs: the networks share nothing."""
        return inputs

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws one key per network: a seed, or a kept sample in an order of the seed."""
        check_count("n_samples", n_samples)
        if self.max_samples is None:
            return Draw(state={"seeds": draw_seeds(n_samples, seed)})
        everyone = torch.arange(self.max_samples)
        if n_samples < self.max_samples:
            everyone = torch.randperm(self.max_samples, generator=generator(seed))[:n_samples]
        return Draw(state={"samples": everyone})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes the outputs [T, N, O]; the same draw is the same T networks for all items."""
        keys = tuple(next(iter(draw.state.values())).tolist())
        with torch.inference_mode():
            outputs_T_N_O = self._networks(keys, features)(features)
        if outputs_T_N_O.dim() == 3:
            self.n_outputs = outputs_T_N_O.shape[-1]
        return outputs_T_N_O

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D: what the last layer of the mean network gets."""
        return last_input(self._module, inputs)

    def to(self, device: torch.device | str) -> WeightPosterior:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        module = copy.deepcopy(self._module).to(device)
        return WeightPosterior(module, self._sampler.to(device), self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the sampler's tensors, and what all samples share."""
        return self._sampler.state() | shared_state(self._module, self._sampler.layout)

    def _networks(self, keys: tuple[int, ...], features: Tensor) -> Networks:
        made_for = (keys, tuple(features.shape[1:]))
        prepared = self._prepared
        if prepared is None or prepared.made_for != made_for:
            prepared = self._prepared = _Prepared(made_for, self._prepare(keys, features))
        return prepared.run

    def _prepare(self, keys: tuple[int, ...], features: Tensor) -> Networks:
        n_bytes = sum(p.numel() * p.element_size() for p in self._module.parameters())
        if n_bytes * len(keys) > KEPT_BYTES:
            return lambda items: self._streamed(keys, items)
        each = [self._sampler.weights(key) for key in keys]
        stacked = {name: torch.stack([weights[name] for weights in each]) for name in each[0]}
        return networks(self._module, stacked, features)

    def _streamed(self, keys: tuple[int, ...], items: Tensor) -> Tensor:
        return torch.stack([one(self._module, self._sampler.weights(key), items) for key in keys])


def restored_gaussian(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], task: Task
) -> WeightPosterior:
    """Puts a saved state with the parts ``mean`` and ``std`` into a new module."""
    module = restored_mean(module_factory, state)
    layout = Layout(module)
    sampler = Gaussian(layout, layout.read("mean", state), layout.read("std", state))
    return WeightPosterior(module, sampler, task)
