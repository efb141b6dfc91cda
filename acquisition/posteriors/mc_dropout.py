"""Monte-Carlo dropout: one trained network whose dropout stays on, T masks shared by every item of the pool.

A sample of the posterior is a set of masks, one per dropout layer. Source: Gal and Ghahramani 2016,
https://arxiv.org/abs/1506.02142. Cost: the layers before the first dropout once per item; the rest T times,
as one matrix product where only a Linear layer follows, as T thinned networks in known chains.
baal walks through the model and swaps the layers; the masks are ours, because baal's differ inside a batch.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from acquisition.devices import usable
from acquisition.errors import InvalidInput, NotStochastic
from acquisition.posteriors.chains import flat, stages
from acquisition.posteriors.deterministic import images_last
from acquisition.posteriors.dropout_layers import (
    KINDS,
    MaskedDropout,
    Noise,
    Sampling,
    Site,
    SiteKey,
    first_dropout,
    recorded_sites,
)
from acquisition.posteriors.hidden_dropout import WAYS_OUT, refuse_functional, refuse_hidden_layers
from acquisition.posteriors.last_layer import last_input
from acquisition.posteriors.mapped import Mapped
from acquisition.posteriors.masks import draw_seeds, make_noise
from acquisition.posteriors.one_product import OneProduct
from acquisition.posteriors.thinned import Thinned
from acquisition.tasks import Task, check_task, task_of
from acquisition.training import Recipe, loaded, made, tensors_of, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

FUSED = (nn.MultiheadAttention, nn.TransformerEncoder, nn.TransformerEncoderLayer)


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
    return McDropout(_patched(model), check_task(task))


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

    def __init__(self, model: nn.Module, task: Task = "classification") -> None:
        self._model = model
        self.task = task
        self._sampling = next(m.sampling for m in model.modules() if isinstance(m, MaskedDropout))
        layers = flat(model)
        start = first_dropout(layers)
        self._prefix, self._suffix = images_last(layers[:start]), layers[start:]
        self._prepared: _Prepared | None = None
        self._searched = False
        self.n_outputs = layers[-1].out_features if type(layers[-1]) is nn.Linear else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        first = next(self._model.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def features(self, inputs: Tensor) -> Tensor:
        """Runs everything before the first dropout, once per item."""
        if not self._searched and len(inputs):
            refuse_functional(self._model, inputs[:2].clone())
            self._searched = True
        with torch.inference_mode():
            return self._prefix(inputs)

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
        return McDropout(copy.deepcopy(self._model).to(device), self.task)

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
        suffix = nn.Sequential(*self._suffix)
        sites = recorded_sites(suffix, self._sampling, features[:1])
        if not sites:
            raise NotStochastic(f"The model has dropout layers but never calls them. {WAYS_OUT}")
        noise = make_noise(sites, draw.state["seeds"], features.device)
        return _fastest(self._suffix, sites, noise, features) or Mapped(suffix, self._sampling, noise)


def _fastest(
    suffix: list[nn.Module], sites: dict[SiteKey, Site], noise: Mapping[SiteKey, Noise], features: Tensor
) -> Engine | None:
    chain = stages(suffix, sites, features.dim())
    if chain is None or chain[0].site is None:
        return None
    if len(chain) == 1 and isinstance(chain[0].weight, nn.Linear) and not chain[0].after:
        return OneProduct(chain[0], noise[chain[0].site])
    if features.device.type != "cpu":
        return None  # many small networks are slower than one wide pass where a launch costs
    return Thinned(chain, noise, len(noise[chain[0].site].factor))


def _refuse_without_dropout(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"Expected a torch.nn.Module, found {type(model).__name__}.")
    layers = [layer for layer in model.modules() if _active(layer)]
    if not any(0 < layer.p < 1 for layer in layers if isinstance(layer, _DropoutNd)):
        raise NotStochastic(
            f"{type(model).__name__} has no dropout layer with 0 < p < 1, so all its samples would be equal. "
            'Add an nn.Dropout before the last layer and train again, or use an "ensemble".'
        )


def _active(layer: nn.Module) -> bool:
    return isinstance(layer, _DropoutNd) and layer.p > 0


def _patched(model: nn.Module) -> nn.Module:
    """Copies a model in evaluation mode with masked layers in place of its dropout layers."""
    replace_layers = _baal_walk()
    holder = nn.Sequential(copy.deepcopy(model)).eval()
    swap = _Swap()
    replace_layers(holder, swap)
    _swap_aliases(holder, swap)
    for layer in holder.modules():
        if isinstance(getattr(layer, "inplace", None), bool):
            layer.inplace = False  # type: ignore[assignment]  # a prefix shared by T passes must not change
        if isinstance(layer, FUSED):
            layer.training = True  # only its own flag: the fused path of evaluation skips dropout layers
    for parameter in holder.parameters():
        parameter.requires_grad_(False)
    return next(iter(holder))


class _Swap:
    """Gives each dropout layer one masked layer, also where it hangs in several places."""

    def __init__(self) -> None:
        self.sampling = Sampling()
        self.made: dict[nn.Module, MaskedDropout] = {}

    def __call__(self, layer: nn.Module) -> MaskedDropout | None:
        if not _active(layer):
            return None
        assert isinstance(layer, _DropoutNd)
        if type(layer).forward not in KINDS:
            raise NotStochastic(f"{type(layer).__name__} is a dropout layer of an unknown kind. {WAYS_OUT}")
        if layer not in self.made:
            self.made[layer] = MaskedDropout(layer, len(self.made), self.sampling)
        return self.made[layer]


def _swap_aliases(holder: nn.Module, swap: _Swap) -> None:
    """Swaps the second names of a layer inside one parent, which baal's walk does not visit."""
    for parent in list(holder.modules()):
        for name, child in list(parent._modules.items()):
            masked = None if child is None else swap(child)
            if masked is not None:
                setattr(parent, name, masked.eval())


def _baal_walk() -> Callable[[nn.Module, Callable[[nn.Module], nn.Module | None]], bool]:
    """Imports baal late, and keeps it from setting up logging for the whole process."""
    import structlog

    before = structlog.get_config() if structlog.is_configured() else None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # structlog.threadlocal, nothing a caller can act on
        from baal.bayesian.common import replace_layers_in_module
    structlog.reset_defaults() if before is None else structlog.configure(**before)
    walk: Callable[[nn.Module, Callable[[nn.Module], nn.Module | None]], bool] = replace_layers_in_module
    return walk
