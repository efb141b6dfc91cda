"""Last-layer Laplace: a Gaussian around the trained weights of the last layer, of any network.

Formula: w ~ N(ŵ, (H + τI)⁻¹) with the curvature H of the likelihood (``laplace.curvature``) and the
prior precision τ (``laplace.prior_precision``). Shapes: draws weights [T, C, D + 1] of a layer with D inputs
and a bias. Exact for a mean with ``heads.Homoscedastic`` at its noise (Bayesian linear regression on
the features); for the log variance of ``heads.Heteroscedastic`` the expected curvature is taken.
Source: MacKay 1992; Daxberger et al. 2021, https://arxiv.org/abs/2106.14806.
Cost: after training, once O(N·(C·D)²) + O((C·D)³) for the full structure; ``fit`` trains a second
network, on 75 % of the items, to choose τ. Scoring: the network once per item, then one matrix product
for all T, O(N·T·C·D). When: post hoc, on a network that is there already. What to tune: ``structure``
("kronecker" above 4096 weights), ``prior_precision``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidInput
from acquisition.laplace.curvature import Curvature, Structure, check_structure
from acquisition.laplace.last_linear import Cut, check_cut, cut, last_linear, outputs, trunk_features
from acquisition.laplace.prior_precision import (
    Items,
    PriorPrecision,
    by_held_out,
    by_marginal_likelihood,
    check_precision,
    curvature_of,
    halves,
)
from acquisition.randomness import generator
from acquisition.tasks import Task
from acquisition.training import (
    Recipe,
    beginning_at,
    check_outputs,
    checked_data,
    loaded,
    made,
    tensors_of,
    train,
)
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = (
    "The prior precision decides: by marginal likelihood it is under-confident, so by default it is chosen "
    "on held-out items."
)
BASES = ("full", "outputs", "inputs")
METHOD = "last-layer Laplace"
CHECKED_ITEMS = 8
Pair = tuple[Tensor, Tensor]


class Options(NamedTuple):
    """How to approximate."""

    structure: Structure
    precision: PriorPrecision


def last_layer_laplace(
    model: nn.Module,
    data: Pair,
    *,
    structure: str = "full",
    prior_precision: PriorPrecision = None,
    held_out: Pair | None = None,
    seed: int = 0,
) -> LastLayerLaplace:
    """Makes a posterior of a trained model.

    Args:
        model: A network that ends with ``nn.Linear`` or one of ``heads``. It is copied; dropout stays off.
        data: The inputs and targets that it was trained on.
        structure: "full", "kronecker" or "diagonal".
        prior_precision: τ; "marginal_likelihood"; None takes the best for held-out items.
        held_out: Items that the network was not trained on, to choose τ. Without them a random quarter of
            ``data`` is taken; where the network has seen it, τ becomes too large and the posterior too sure.
        seed: Of that quarter.

    Raises:
        InvalidInput: The model does something after its last Linear layer, or the data do not fit it.
        InvalidOption: There is no such structure, or too many weights for the full one.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"Expected a torch.nn.Module, found {type(model).__name__}.")
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in (data, held_out or data)):
        raise InvalidInput("Expected data and held_out as pairs (inputs, targets).")
    options = Options(check_structure(structure), check_precision(prior_precision))
    checked_data(*data, torch.device("cpu"))  # before it is shuffled, so that rows are told by their number
    frozen = copy.deepcopy(model).eval()
    if options.precision is None:
        fitted, measured = _quarter(data, seed) if held_out is None else (data, held_out)
        options = options._replace(precision=_held_out_precision(frozen, fitted, measured, options, seed))
    return _fitted(frozen, data, options)


def build(
    *,
    structure: str = "full",
    prior_precision: PriorPrecision = None,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; for the options see ``last_layer_laplace`` and ``Recipe``."""
    options = Options(check_structure(structure), check_precision(prior_precision))
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, recipe=recipe, options=options)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    options: Options,
) -> LastLayerLaplace:
    checked_data(inputs, targets, recipe.device)
    n_own, n_before = recipe.n_epochs(len(inputs)), 0
    if options.precision is None:
        fitted, measured = _quarter((inputs, targets), seed)
        n_before = recipe.n_epochs(len(fitted[0]))
        report = beginning_at(progress, 0, n_before + n_own)
        first = train(made(module_factory, seed), *fitted, recipe=recipe, seed=seed, progress=report)
        options = options._replace(precision=_held_out_precision(first, fitted, measured, options, seed))
    report = beginning_at(progress, n_before, n_before + n_own)
    module = train(made(module_factory, seed), inputs, targets, recipe=recipe, seed=seed, progress=report)
    return _fitted(module, (inputs, targets), options)


def _quarter(data: Pair, seed: int) -> tuple[Pair, Pair]:
    """Puts a random quarter of the items aside."""
    rows = halves(len(data[0]), seed)
    fitted, held_out = ((data[0][part], data[1][part]) for part in rows)
    return fitted, held_out


def _held_out_precision(
    module: nn.Module, fitted: Pair, measured: Pair, options: Options, seed: int
) -> float:
    parts = _parts(module, fitted).cut
    weights_C_P = parts.weights_C_P.cpu().double()
    found = curvature_of(options.structure, weights_C_P, _items(module, parts, fitted))
    return by_held_out(weights_C_P, found, _items(module, parts, measured), seed)


def _fitted(module: nn.Module, data: Pair, options: Options) -> LastLayerLaplace:
    position, parts = _parts(module, data)
    weights_C_P, items = parts.weights_C_P.cpu().double(), _items(module, parts, data)
    found = curvature_of(options.structure, weights_C_P, items)
    precision = options.precision
    if precision is None or isinstance(precision, str):
        precision = by_marginal_likelihood(weights_C_P, found, items)
    single = Curvature(
        eigenvalues_C_P=found.eigenvalues_C_P.float(), bases={k: v.float() for k, v in found.bases.items()}
    )
    return LastLayerLaplace(module, position, single, precision, items.task).to(_device(module))


def _device(module: nn.Module) -> torch.device:
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device


class _Parts(NamedTuple):
    position: int
    cut: Cut


def _parts(module: nn.Module, data: Pair) -> _Parts:
    checked = checked_data(*data, _device(module))
    placed = checked.inputs[:CHECKED_ITEMS]
    position = last_linear(module, placed)
    parts = cut(module, position)
    check_cut(parts, module, placed, checked.task)
    return _Parts(position, parts)


def _items(module: nn.Module, parts: Cut, data: Pair) -> Items:
    checked = checked_data(*data, _device(module))
    features = trunk_features(parts.trunk, checked.inputs)
    check_outputs(outputs(parts.weights_C_P[None], features)[0], len(features), checked)
    targets = checked.targets.cpu()
    return Items(
        features.cpu().double(), targets.double() if targets.is_floating_point() else targets, checked.task
    )


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> LastLayerLaplace:
    """Puts a saved state into a new module."""
    own = {name.removeprefix("module."): t for name, t in state.items() if name.startswith("module.")}
    module = loaded(module_factory, own)
    missing = {"layer", "precision", "eigenvalues"} - state.keys()
    if missing:
        raise InvalidInput(f"The saved state is no {METHOD}: it lacks {', '.join(sorted(missing))}.")
    found = Curvature(
        eigenvalues_C_P=state["eigenvalues"], bases={name: state[name] for name in BASES if name in state}
    )
    return LastLayerLaplace(module, int(state["layer"]), found, float(state["precision"]), task)


class LastLayerLaplace:
    """A posterior whose samples are weights of the last layer; made by ``last_layer_laplace``.

    Attributes:
        precision: The prior precision τ.
    """

    max_samples: int | None = None

    def __init__(
        self, module: nn.Module, position: int, curvature: Curvature, precision: float, task: Task
    ) -> None:
        self._module, self._position = module, position
        self._curvature = curvature
        self._trunk, self._weights_C_P = cut(module, position)
        self.precision = precision
        self.task = task
        self.n_outputs: int | None = 2 if task == "regression" else len(self._weights_C_P)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self._weights_C_P.device

    def features(self, inputs: Tensor) -> Tensor:
        """Runs everything before the last layer, once per item."""
        with torch.inference_mode():
            found: Tensor = self._trunk(inputs)
        return found

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws weights [T, C, D + 1] of the last layer."""
        check_count("n_samples", n_samples)
        noise = torch.randn(n_samples, *self._weights_C_P.shape, generator=generator(seed))
        deviations = self._curvature.deviations(noise.to(self.device), self.precision)
        return Draw(state={"weights": self._weights_C_P + deviations})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C, of regression [T, N, 2], by one matrix product."""
        with torch.inference_mode():
            return outputs(draw.state["weights"], features)

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D, the input of the last layer."""
        return self.features(inputs)[:, : self._weights_C_P.shape[1] - 1]

    def to(self, device: torch.device | str) -> LastLayerLaplace:
        """Returns this posterior on a device; itself where it is there already."""
        target = usable(device)
        if target == self.device and self._curvature.eigenvalues_C_P.device == target:
            return self
        found = self._curvature
        moved = Curvature(
            eigenvalues_C_P=found.eigenvalues_C_P.to(target),
            bases={name: basis.to(target) for name, basis in found.bases.items()},
        )
        module = copy.deepcopy(self._module).to(target)
        return LastLayerLaplace(module, self._position, moved, self.precision, self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the module's tensors, the curvature and the prior precision."""
        found = self._curvature
        return {f"module.{name}": tensor for name, tensor in tensors_of(self._module).items()} | {
            "layer": torch.tensor(self._position),
            "precision": torch.tensor(self.precision, dtype=torch.float64),
            "eigenvalues": found.eigenvalues_C_P.detach().cpu().contiguous(),
            **{name: basis.detach().cpu().contiguous() for name, basis in found.bases.items()},
        }
