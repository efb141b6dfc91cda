"""Deep kernel: a sparse Gaussian process on what a network makes of the items, both trained together.

Formula: f_c ~ GP(0, k(g(a), g(b))) with g everything before the network's last layer; p = softmax(f)
for classes, sigmoid(f) for labels, a number has Gaussian noise. First the network is trained as it is;
then g, the kernel and the functions' values at M inducing points maximise the evidence lower bound
(``inducing_points``), from the closed form of ``sparse_values`` on. Draws are functions (``gaussian.draws``).
Source: Wilson et al. 2016, https://arxiv.org/abs/1511.02222; gpytorch (``pip install
"active-labeling-workbench[gp]"``).
Cost: twice (for the temperature) the training of the network, then O(C·(M³ + B·M²)) per step of B items
in float64; scoring as in ``gaussian.draws`` with n = M. When: items that no fixed features describe, and
distance from what was seen should count. What to tune: ``tuning_epochs``: with many the features fold
what was not seen onto what was (Ober et al. 2021, https://arxiv.org/abs/2102.12108), with 0 they stay
those of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidInput
from acquisition.gaussian.dirichlet_labels import (
    N_SAMPLES,
    scaled_by_evidence,
    temperature_of,
    values_of,
)
from acquisition.gaussian.draws import function_values
from acquisition.gaussian.inducing_points import Batch, Plan, Sparse, gpytorch, train_bound
from acquisition.gaussian.item_features import Labeled, check_positive, standardised
from acquisition.gaussian.sparse_values import Observed, SparseValues, told, whitened
from acquisition.laplace.last_linear import Trunk, check_cut, cut, last_linear, trunk_features
from acquisition.laplace.prior_precision import halves
from acquisition.randomness import derived_seed, forked, generator
from acquisition.tasks import Task
from acquisition.training import Data, Recipe, beginning_at, checked_data, loaded, made, tensors_of, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = "Slow to train; compare it with gaussian_process on fixed features first."
CHUNK = 512
SPARSE = frozenset({"places", "lengthscale", "variance", "white_mean", "white_factor"})
REST = frozenset(
    {"feature_mean", "feature_scale", "offset", "spread", "noise", "n_features", "layer", "temperature"}
)


class Options(NamedTuple):
    """How to fit; see ``build``."""

    inducing: int
    tuning_epochs: int
    temperature: float | Literal["held_out"]
    n_features: int
    recipe: Recipe


def build(
    *,
    inducing: int = 64,
    tuning_epochs: int = 60,
    temperature: float | Literal["held_out"] = "held_out",
    n_features: int = 1024,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        inducing: M, at most the number of items.
        tuning_epochs: Passes over the data that train network and process together.
        temperature: Divides the functions; "held_out" trains on 75 % of the items first and takes the best of
            a grid for the others.
        n_features: Pairs of random Fourier features.
        epochs: As the options that follow, of the network alone; see ``Recipe``. The network is tuned at a
            tenth of its learning rate.
        batch_size: Largest number of items per step, of both trainings.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        device: Where to train; the posterior stays there.
    """
    gpytorch()
    check_count("inducing", inducing)
    check_count("tuning_epochs", tuning_epochs, 0)
    check_count("n_features", n_features)
    if temperature != "held_out":
        check_positive("temperature", temperature)
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, options=Options(inducing, tuning_epochs, temperature, n_features, recipe))


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    options: Options,
) -> DeepKernel:
    data = checked_data(inputs, targets, options.recipe.device)
    steps = partial(_epochs, options=options)
    temperature, before = options.temperature, 0
    if data.task == "regression" or (temperature == "held_out" and len(inputs) < 2):
        temperature = 1.0
    elif temperature == "held_out":
        rows = halves(len(inputs), seed)
        before = steps(len(rows.fitted))
        report = beginning_at(progress, 0, before + steps(len(inputs)))
        first = _trained(module_factory, _rows(data, rows.fitted), seed, report, options)
        temperature = _held_out_temperature(first, _rows(data, rows.held_out))
    report = beginning_at(progress, before, before + steps(len(inputs)))
    return _trained(module_factory, data, seed, report, options).at(float(temperature))


def _epochs(n_items: int, options: Options) -> int:
    return options.recipe.n_epochs(n_items) + options.tuning_epochs


def _rows(data: Data, rows: Tensor) -> Data:
    placed = rows.to(data.inputs.device)
    return Data(data.inputs[placed], data.targets[placed], data.task)


def _held_out_temperature(posterior: DeepKernel, data: Data) -> float:
    draw = posterior.draw(N_SAMPLES, seed=0)
    parts = [posterior.forward(draw, posterior.features(chunk)) for chunk in torch.split(data.inputs, CHUNK)]
    return temperature_of(data.task, torch.cat(parts, 1), data.targets)


def _trained(
    module_factory: ModuleFactory, data: Data, seed: int, progress: Progress, options: Options
) -> DeepKernel:
    recipe, n_own = options.recipe, options.recipe.n_epochs(len(data.inputs))
    inputs, targets, _ = data
    module = train(made(module_factory, seed), inputs, targets, recipe=recipe, seed=seed, progress=progress)
    learns = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    position = last_linear(module, data.inputs)
    parts = cut(module, position)
    check_cut(parts, module, data.inputs, data.task)
    width = parts.weights_C_P.shape[1] - 1
    start = _started(trunk_features(parts.trunk, data.inputs)[:, :width], data, module, options, seed)
    report = beginning_at(progress, n_own, n_own + options.tuning_epochs)
    for name, parameter in parts.trunk.body.named_parameters():
        parameter.requires_grad_(name in learns)
    trained = _tuned(parts.trunk, start, data, Plan(recipe, options.tuning_epochs, seed, report))
    module.load_state_dict(parts.trunk.body.state_dict(), strict=False)
    tensors = start.rest | trained | {"layer": torch.tensor(position)}
    return DeepKernel(module, tensors | {"temperature": start.values.places_M_D.new_tensor(1.0)}, data.task)


class _Started(NamedTuple):
    """The closed form on the network's features, and the tensors that stay as they are."""

    values: SparseValues
    noise: Tensor
    targets: Tensor
    rest: dict[str, Tensor]


def _started(features_n_D: Tensor, data: Data, module: nn.Module, options: Options, seed: int) -> _Started:
    n_outputs = _n_outputs(module, data)
    items = Labeled(features_n_D.double(), data.targets, data.task, n_outputs)
    values = values_of(items)
    scaled = scaled_by_evidence(items.features_N_D, values, "common")
    order = torch.randperm(len(data.targets), generator=generator(derived_seed(seed, 6)))
    places = scaled.items_n_D[order[: options.inducing].to(features_n_D.device)]
    seen = whitened(scaled.found.kernel, places, scaled.items_n_D)
    found = told(places, scaled.found.kernel, Observed(seen, values.values_C_n, scaled.found.noise_C_n))
    if data.task == "multilabel":  # of presence and absence to one score each
        present, absent = found.white_mean_C_M.chunk(2)
        factor = found.white_factor_C_M_M[:n_outputs]
        found = found._replace(white_mean_C_M=present - absent, white_factor_C_M_M=factor)
    rest = scaled.scale | {
        "offset": values.offset,
        "spread": values.spread,
        "n_features": torch.tensor(options.n_features),
    }
    targets = data.targets
    if data.task == "regression":
        targets = (targets.double() - values.offset) / values.spread
    elif data.task == "multilabel":
        targets = targets.double()
    return _Started(found, scaled.found.noise_C_n[0, 0], targets, rest)


def _n_outputs(module: nn.Module, data: Data) -> int:
    with torch.inference_mode():
        n_outputs: int = module(data.inputs[:2]).shape[1]
    return n_outputs


def _tuned(trunk: Trunk, start: _Started, data: Data, plan: Plan) -> dict[str, Tensor]:
    width = start.values.places_M_D.shape[1]

    def batch_of(rows: Tensor) -> Batch:
        features = trunk(data.inputs[rows])[:, :width].double()
        return Batch(standardised(features, start.rest), start.targets[rows])

    with forked(derived_seed(plan.seed, 7)):
        sparse = Sparse(start.values, start.noise, data.task)
        groups: list[dict[str, Any]] = [
            {"params": list(sparse.parameters()), "lr": 10 * plan.recipe.learning_rate},
            {"params": list(trunk.parameters()), "lr": plan.recipe.learning_rate / 10},
        ]
        train_bound(sparse, groups, batch_of, len(data.targets), plan)
    return sparse.values().tensors() | {"noise": sparse.log_noise.detach().exp()}


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> DeepKernel:
    """Puts a saved state into a new module; gpytorch is not needed."""
    own = {name.removeprefix("module."): t for name, t in state.items() if name.startswith("module.")}
    module = loaded(module_factory, own)
    rest = {name: tensor for name, tensor in state.items() if not name.startswith("module.")}
    if rest.keys() != SPARSE | REST:
        raise InvalidInput(
            f"The saved state is of another posterior: found {', '.join(sorted(rest))} beside the module; "
            f"expected {', '.join(sorted(SPARSE | REST))}."
        )
    return DeepKernel(module, rest, task)


class DeepKernel:
    """A posterior whose samples are functions of a network's features."""

    max_samples: int | None = None

    def __init__(self, module: nn.Module, tensors: Mapping[str, Tensor], task: Task) -> None:
        self._module, self._tensors = module, dict(tensors)
        self._trunk = cut(module, int(tensors["layer"])).trunk
        self.task = task
        self.n_outputs: int | None = 2 if task == "regression" else len(tensors["white_mean"])

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self._tensors["places"].device

    def features(self, inputs: Tensor) -> Tensor:
        """Runs the network up to its last layer and standardises, in float64."""
        with torch.inference_mode():
            found = self._trunk(inputs)[:, : self._tensors["places"].shape[1]]
            return standardised(found.double(), self._tensors)

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws functions: θ [T, C, 2F] and v [T, C, M]."""
        check_count("n_samples", n_samples)
        return SparseValues.of(self._tensors).draw(n_samples, int(self._tensors["n_features"]), seed)

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C, of regression [T, N, 2]."""
        with torch.inference_mode():
            found = SparseValues.of(self._tensors)
            functions = function_values(found.kernel, found.places_M_D, draw, features)
            if self.task != "regression":
                return functions / self._tensors["temperature"]
            spread = self._tensors["spread"]
            means = functions * spread + self._tensors["offset"]
            return torch.cat([means, (self._tensors["noise"] * spread**2).log().expand_as(means)], -1)

    def at(self, temperature: float) -> DeepKernel:
        """Returns this posterior with its functions divided by a temperature."""
        tensors = self._tensors | {"temperature": self._tensors["places"].new_tensor(temperature)}
        return DeepKernel(self._module, tensors, self.task)

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D, as the kernel sees them."""
        return self.features(inputs)

    def to(self, device: torch.device | str) -> DeepKernel:
        """Returns this posterior on a device; itself where it is there already."""
        target = usable(device)
        if target == self.device:
            return self
        tensors = {name: tensor.to(target) for name, tensor in self._tensors.items() if name != "layer"}
        tensors["layer"] = self._tensors["layer"]
        return DeepKernel(copy.deepcopy(self._module).to(target), tensors, self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the module's tensors and those of the process."""
        own = {name: tensor.detach().clone().contiguous() for name, tensor in self._tensors.items()}
        return {f"module.{name}": tensor for name, tensor in tensors_of(self._module).items()} | own
