"""Monte-Carlo dropout: one trained network whose dropout stays on, T masks shared by every item of the pool.

A sample of the posterior is a set of masks, one per dropout layer. Source: Gal and Ghahramani 2016,
https://arxiv.org/abs/1506.02142. Cost: the layers before the first dropout once per item; the rest T times,
as one matrix product where only a Linear layer follows, as T thinned networks in known chains.
baal walks through the model and swaps the layers; the masks are ours, because baal's differ inside a batch.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from acquisition.devices import usable
from acquisition.dropout.attention import drops, mask_attention
from acquisition.dropout.chains import LINEAR, flat, hooked, stages
from acquisition.dropout.hidden import WAYS_OUT, refuse_functional, refuse_hidden_layers
from acquisition.dropout.layers import (
    KINDS,
    MaskedDropout,
    Noise,
    Sampling,
    Site,
    SiteKey,
    recorded_sites,
)
from acquisition.dropout.mapped import Mapped
from acquisition.dropout.masks import draw_seeds, make_noise
from acquisition.dropout.one_product import OneProduct
from acquisition.dropout.patching import frozen_copy
from acquisition.dropout.reading import agrees, as_written, read
from acquisition.dropout.thinned import Thinned
from acquisition.dropout.written import own_code, refuse_company
from acquisition.errors import InvalidInput, NotStochastic
from acquisition.last_layer import last_input
from acquisition.tasks import Task, check_task, task_of
from acquisition.training import Recipe, loaded, made, tensors_of, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

TRYING = threading.Lock()
FIRST_ATTENTION = 2**20  # layers of attention are numbered from here on, dropout layers from 0


def mc_dropout(model: nn.Module, task: Task = "classification") -> McDropout:
    """Makes a posterior of a trained model with dropout, used as it is.

    Args:
        model: A network that returns class scores (logits) of shape [N, C]. It is copied; its mode, its
            parameters and the global random state stay as they are.
        task: What the outputs mean, where they are not class scores.

    Raises:
        NotStochastic: The model has no active dropout layer, or has dropout that can not be reached.
    """
    _refuse_without_dropout(model)
    refuse_hidden_layers(model)
    return McDropout(frozen_copy(model, _Swap()), check_task(task))


def build(
    *,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; for the options see ``Recipe``."""
    return partial(_fit, recipe=Recipe.of(epochs, batch_size, learning_rate, weight_decay, device))


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
) -> McDropout:
    module = made(module_factory, seed)
    _refuse_without_dropout(module)
    trained = train(module, inputs, targets, recipe=recipe, seed=seed, progress=progress)
    return mc_dropout(trained, task_of(targets))


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> McDropout:
    """Puts a saved state into a new module."""
    return mc_dropout(loaded(module_factory, state), task)


class Engine(Protocol):
    """The T networks of one draw."""

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        ...


class _Prepared(NamedTuple):
    """The engine that was made last, and what for."""

    made_for: tuple[object, ...]
    engine: Engine


class McDropout:
    """A posterior whose samples are dropout masks; made by ``mc_dropout``."""

    max_samples: int | None = None
    hides_dropout = True  # whether dropout that can not be reached would be missed

    def __init__(self, model: nn.Module, task: Task = "classification") -> None:
        self._model = model
        self.task = task
        self._sampling = next(m.sampling for m in model.modules() if isinstance(m, MaskedDropout))
        self._reading = as_written(model)
        self._prepared: _Prepared | None = None
        self._tried = not own_code(model)
        last = flat(model)[-1]
        self.n_outputs = last.out_features if isinstance(last, nn.Linear) and type(last) in LINEAR else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        first = next(self._model.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def features(self, inputs: Tensor) -> Tensor:
        """Runs everything before the first dropout, once per item."""
        if not self._tried and len(inputs):
            self._try(_two_of(inputs))
        with torch.inference_mode():
            return self._reading.before(inputs)

    def _try(self, items: Tensor) -> None:
        """Looks for hidden dropout in the user's own code, and whether its graph may stand for it."""
        with TRYING:  # another thread may be at it; features and networks have to come from one reading
            if self._tried:
                return
            if self.hides_dropout:
                refuse_functional(self._model, items)
            refuse_company(self._model, items)
            graph = read(self._model)
            if graph is not None and agrees(self._model, self._sampling, graph, items):
                self._reading, self._prepared = graph, None
            self._tried = True

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws one seed per network; its masks are made when the shapes are known."""
        return Draw(state={"seeds": draw_seeds(n_samples, seed)})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C; the same draw is the same T networks for all items."""
        with torch.inference_mode():
            logits_T_N_C = self._engine(draw, features)(features)
        if logits_T_N_C.dim() == 3:
            self.n_outputs = logits_T_N_C.shape[-1]
        return logits_T_N_C

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D: what the last layer gets where nothing is dropped."""
        return last_input(self._model, inputs)

    def to(self, device: torch.device | str) -> McDropout:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        return type(self)(copy.deepcopy(self._model).to(device), self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the parameters and buffers of the model under their own names."""
        return tensors_of(self._model)

    def _engine(self, draw: Draw, features: Tensor) -> Engine:
        made_for = (tuple(draw.state["seeds"].tolist()), tuple(features.shape[1:]))
        prepared = self._prepared
        if prepared is None or prepared.made_for != made_for:
            prepared = self._prepared = _Prepared(made_for, self._prepare(draw, features))
        return prepared.engine

    def _prepare(self, draw: Draw, features: Tensor) -> Engine:
        suffix = nn.Sequential(*self._reading.after)
        sites = recorded_sites(suffix, self._sampling, _two_of(features))
        if not sites:
            raise NotStochastic(f"The model has dropout layers but never calls them. {WAYS_OUT}")
        noise = make_noise(sites, draw.state["seeds"], features.device)
        fastest = _fastest(self._reading.after, sites, noise, features)
        return fastest or Mapped(suffix, self._sampling, noise, pure=self._reading.pure)


def _two_of(items: Tensor) -> Tensor:
    """Takes two items, the first one twice where there is no second: code may treat a single one apart."""
    return torch.cat([items[:2], items[:1]])[:2]


def _log_softmax(layer: nn.Module) -> bool:
    return type(layer) is nn.LogSoftmax and layer.dim in (1, -1) and not hooked(layer)


def _fastest(
    suffix: list[nn.Module], sites: dict[SiteKey, Site], noise: Mapping[SiteKey, Noise], features: Tensor
) -> Engine | None:
    normalized = _log_softmax(suffix[-1])
    chain = stages(suffix[:-1] if normalized else suffix, sites, features.dim())
    if chain is None or chain[0].site is None:
        return None
    engine: Engine
    if len(chain) == 1 and isinstance(chain[0].weight, nn.Linear) and not chain[0].after:
        engine = OneProduct(chain[0], noise[chain[0].site])
    elif features.device.type == "cpu":
        engine = Thinned(chain, noise, len(noise[chain[0].site].factor))
    else:
        return None  # many small networks are slower than one wide pass where a launch costs
    return Normalized(engine) if normalized else engine


class Normalized(NamedTuple):
    """An engine whose last layer is a log-softmax."""

    engine: Engine

    def __call__(self, features: Tensor) -> Tensor:
        """Computes log-probabilities."""
        return self.engine(features).log_softmax(-1)


def _refuse_without_dropout(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"Expected a torch.nn.Module, found {type(model).__name__}.")
    rates = [layer.p for layer in model.modules() if isinstance(layer, _DropoutNd)]
    rates += [layer.dropout for layer in model.modules() if isinstance(layer, nn.MultiheadAttention)]
    if not any(0 < rate < 1 for rate in rates):
        raise NotStochastic(
            f"{type(model).__name__} has no dropout layer with 0 < p < 1, so all its samples would be equal. "
            'Add an nn.Dropout before the last layer and train again, or use an "ensemble".'
        )


def _active(layer: nn.Module) -> bool:
    return isinstance(layer, _DropoutNd) and layer.p > 0


class _Swap:
    """Gives each dropout layer one masked layer, also where it hangs in several places."""

    def __init__(self) -> None:
        self.sampling = Sampling()
        self.made: dict[nn.Module, MaskedDropout] = {}
        self.attentions = 0

    def __call__(self, layer: nn.Module) -> MaskedDropout | None:
        if drops(layer):
            assert isinstance(layer, nn.MultiheadAttention)
            mask_attention(layer, FIRST_ATTENTION + self.attentions, self.sampling)
            self.attentions += 1
        if not _active(layer):
            return None
        assert isinstance(layer, _DropoutNd)
        if type(layer).forward not in KINDS:
            raise NotStochastic(f"{type(layer).__name__} is a dropout layer of an unknown kind. {WAYS_OUT}")
        if layer not in self.made:
            self.made[layer] = MaskedDropout(layer, len(self.made), self.sampling)
        return self.made[layer]
