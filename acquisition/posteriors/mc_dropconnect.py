"""Monte-Carlo DropConnect: one trained network that loses single weights, T sets of them shared by all items.

Formula: W_t = W ⊙ m_t / (1 − p) in each chosen layer, each weight dropped with probability p on its own;
biases stay. Training drops weights anew at each step. A trained network can be sampled too; without such
training its spread is a choice of p. Dropout layers of the model are off when it is sampled, and the
projections inside ``nn.MultiheadAttention`` keep their weights.
Sources: Wan et al. 2013, https://proceedings.mlr.press/v28/wan13.html; as a posterior Mobiny et al. 2021,
https://arxiv.org/abs/1906.04569. Cost: the layers before the first chosen one once per item, others T times.
Memory: 4 · T bytes per weight that may be dropped. Tune p by the likelihood of held-out data: small networks
learn badly at 0.5, where the papers' large ones do well. Take "linear" for networks with large convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from acquisition.dropout.chains import hooked
from acquisition.dropout.layers import MaskedDropout, Sampling, Site, SiteKey, apply
from acquisition.dropout.patching import frozen_copy, swapped
from acquisition.errors import InvalidInput, InvalidOption, NotStochastic
from acquisition.posteriors.mc_dropout import McDropout
from acquisition.products import linear
from acquisition.tasks import Task, check_task, task_of
from acquisition.training import Recipe, loaded, made, train
from acquisition.types import Fitter, ModuleFactory, Progress

LAYERS: Mapping[str, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear,),
    "convolution": (nn.Conv2d,),
    "all": (nn.Linear, nn.Conv2d),
}
OPTIONS = "mc_dropconnect"  # the name of p and the layers among the saved tensors


def mc_dropconnect(
    model: nn.Module, p: float = 0.25, layers: str = "linear", task: Task = "classification"
) -> McDropconnect:
    """Makes a posterior of a trained model whose weights are dropped.

    Args:
        model: A network that returns class scores (logits) of shape [N, C]; it is copied and stays as it is.
        p: The chance of a weight to be dropped.
        layers: Which layers lose weights: "linear", "convolution" or "all".
        task: What the outputs mean, where they are not class scores.

    Raises:
        InvalidOption: No such layers, or p outside (0, 1).
        NotStochastic: The model has no such layer.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"Expected a torch.nn.Module, found {type(model).__name__}.")
    swap = _Swap(*_checked(p, layers))
    copied = frozen_copy(model, swap)
    _refuse_none(swap)
    return McDropconnect(copied, check_task(task))


def build(
    *,
    p: float = 0.25,
    layers: str = "linear",
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; ``p`` and ``layers`` as in ``mc_dropconnect``, for the others see ``Recipe``."""
    _checked(p, layers)
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, recipe=recipe, p=p, layers=layers)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    p: float,
    layers: str,
) -> McDropconnect:
    swap = _Swap(p, layers)
    module = swapped(made(module_factory, seed), swap)
    _refuse_none(swap)
    trained = train(module, inputs, targets, recipe=recipe, seed=seed, progress=progress)
    return McDropconnect(frozen_copy(trained, lambda _: None), task_of(targets))


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> McDropconnect:
    """Puts a saved state into a new module."""
    tensors = dict(state)
    if OPTIONS not in tensors:
        raise InvalidInput(f"The saved state has no {OPTIONS!r}: it is not one of this posterior.")
    p, number = tensors.pop(OPTIONS).tolist()
    return mc_dropconnect(loaded(module_factory, tensors), p, list(LAYERS)[int(number)], task)


class McDropconnect(McDropout):
    """A posterior whose samples are sets of dropped weights; made by ``mc_dropconnect``."""

    hides_dropout = False

    def state(self) -> dict[str, Tensor]:
        """Returns the model's tensors under their own names, and which weights are dropped how often."""
        first = next(layer for layer in self._model.modules() if isinstance(layer, MaskedWeight))
        options = torch.tensor([first.p, list(LAYERS).index(first.layers)], dtype=torch.float64)
        return super().state() | {OPTIONS: options}


class MaskedWeight(MaskedDropout):
    """The noise of one weight tensor: the same for all items and for all calls in a pass."""

    def __init__(self, p: float, number: int, sampling: Sampling, layers: str) -> None:
        super().__init__(nn.Dropout(p), number, sampling)
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        """Applies the noise of the pass that runs now to a weight; while training that of the moment."""
        if self.training:
            return functional.dropout(inputs, self.p)
        sampling, key = self.sampling, SiteKey(self.number, 0)
        if sampling.sites is not None:
            sampling.sites[key] = Site(kind=self.kind, p=self.p, shape=tuple(inputs.shape))
        return inputs if sampling.noise is None else apply(sampling.noise[key], inputs)


class LossyLinear(nn.Linear):
    """A linear layer that loses weights."""

    noise: MaskedWeight

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes x Wᵀ + b with what is left of W."""
        weight: Tensor = self.noise(self.weight)
        return linear(inputs, weight, self.bias)


class LossyConv2d(nn.Conv2d):
    """A convolution that loses weights."""

    noise: MaskedWeight

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the convolution with what is left of the weights."""
        weight: Tensor = self.noise(self.weight)
        found: Tensor = self._conv_forward(inputs, weight, self.bias)
        return found


class _Swap:
    """Lets the chosen layers lose weights, in place."""

    def __init__(self, p: float, layers: str) -> None:
        self.p, self.layers = p, layers
        self.sampling = Sampling()
        self.number = 0

    def __call__(self, layer: nn.Module) -> None:
        if type(layer) not in LAYERS[self.layers]:
            return
        if hooked(layer):
            raise NotStochastic(
                f"A {type(layer).__name__} has hooks or its own forward: its weights can not be dropped. "
                'Take them off, or use "mc_dropout" or an "ensemble".'
            )
        layer.__class__ = LossyLinear if isinstance(layer, nn.Linear) else LossyConv2d
        layer.noise = MaskedWeight(self.p, self.number, self.sampling, self.layers).train(layer.training)
        self.number += 1


def _refuse_none(swap: _Swap) -> None:
    if not swap.number:
        raise NotStochastic(
            f"The model has no layer of the kind {swap.layers!r} whose weights could be dropped. "
            f'Choose other layers ({", ".join(LAYERS)}), or use an "ensemble".'
        )


def _checked(p: float, layers: str) -> tuple[float, str]:
    if not 0 < p < 1:
        raise InvalidOption(f"p is {p!r}; a number above 0 and below 1 is expected.")
    if layers not in LAYERS:
        raise InvalidOption(f"layers is {layers!r}; one of {', '.join(LAYERS)} is expected.")
    return p, layers
