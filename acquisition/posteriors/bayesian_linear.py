"""Bayesian linear: linear or logistic regression on features, with a posterior over all weights.

Formula: a number is y = w·φ + ε, exact, noise and prior precision τ by evidence in closed form
(``linear_evidence``). Classes and labels have logits W φ, by Laplace's approximation around the best
weights (``laplace.logistic``), τ by evidence on a grid, the width of the posterior by four held-out
folds. φ is the standardised item and a one. Shapes: draws weights [T, C, P], P = D + 1, in float64.
Source: Bishop 2006, chapters 3.5 and 4.5; MacKay 1992.
The items ARE the features: flat, standardised by training statistics. The factory's module is not
trained, it only tells the number of outputs.
Cost: a number O(n·P·min(n, P)); classes O(C·n³) per tried τ and per draw, 8·C·n² bytes; scoring one
matrix product, O(N·T·C·P). When: frozen embeddings and few labels, where an answer in a second matters
and classes are linear in them. What to tune: nothing to begin with; then ``prior_precision`` and
``temperature`` (1 is the Laplace posterior itself), ``scaling`` as in ``gaussian_process``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidInput
from acquisition.gaussian.item_features import (
    ItemFeatures,
    Labeled,
    check_positive,
    check_scaling,
    labeled,
    scale_of,
    scalings,
    standardised,
)
from acquisition.laplace.last_linear import outputs
from acquisition.laplace.linear_evidence import linear_fit
from acquisition.laplace.logistic import (
    Approximation,
    Problem,
    best_weights,
    held_out_temperature,
    log_evidence,
)
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import TASKS, Task
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = (
    "Linear in the features. Laplace's posterior of classes is under-confident, so the default narrows it "
    "by held-out folds (temperature)."
)
GRID = [10 ** (step / 2) for step in range(-6, 11)]


class Options(NamedTuple):
    """How to fit; see ``build``."""

    precision: float | None
    temperature: float | Literal["held_out"]
    scaling: str | None
    max_items: int
    device: torch.device


def build(
    *,
    prior_precision: float | None = None,
    temperature: float | Literal["held_out"] = "held_out",
    scaling: str | None = None,
    max_items: int = 2000,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        prior_precision: τ of classes and labels; None takes the best evidence.
        temperature: Multiplies the covariance of classes and labels; "held_out" takes the best of a grid up
            to 1 for four held-out folds.
        scaling: "each" or "common" deviation of the features; None takes the one of larger evidence.
        max_items: More labeled items than this are refused; a number is regressed on any number of them.
        device: Where to fit; the posterior stays there.
    """
    check_count("max_items", max_items)
    check_scaling(scaling)
    if temperature != "held_out":
        check_positive("temperature", temperature)
    if prior_precision is not None:
        check_positive("prior_precision", prior_precision)
    return partial(_fit, options=Options(prior_precision, temperature, scaling, max_items, usable(device)))


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,  # noqa: ARG001 - nothing here is random
    progress: Progress,
    options: Options,
) -> BayesianLinear:
    items = labeled(module_factory, inputs, targets, options.device, TASKS)
    if items.task != "regression" and len(items.targets) > options.max_items:
        raise InvalidInput(
            f"Found {len(items.targets)} items; logistic regression in the space of the items is for at most "
            f'{options.max_items} (max_items). Use "last_layer_laplace" with a model of one nn.Linear.'
        )
    tried = [_tried(items, scaling, options) for scaling in scalings(options.scaling)]
    progress(1, 1)
    tensors = max(tried, key=lambda each: each.log_evidence).tensors
    if items.task != "regression":
        tensors["temperature"] = tensors["weights"].new_tensor(_temperature(items, tensors, options))
    return BayesianLinear(tensors, items.task)


def _temperature(items: Labeled, tensors: Mapping[str, Tensor], options: Options) -> float:
    if options.temperature != "held_out":
        return options.temperature
    if len(items.targets) < 2:
        return 1.0
    problem = _problem(items, tensors["items"])
    return held_out_temperature(problem, float(tensors["precision"]), tensors["weights"])


def _problem(items: Labeled, features_n_P: Tensor) -> Problem:
    targets = items.targets.double() if items.task == "multilabel" else items.targets
    return Problem(features_n_P, targets, items.task, items.n_outputs)


class _Tried(NamedTuple):
    log_evidence: float
    tensors: dict[str, Tensor]


def _tried(items: Labeled, scaling: str, options: Options) -> _Tried:
    scale = scale_of(items.features_N_D, common=scaling == "common")
    features_n_D = standardised(items.features_N_D, scale)
    features_n_P = torch.cat([features_n_D, features_n_D.new_ones(len(features_n_D), 1)], 1)
    fitted = (
        _number(items, features_n_P) if items.task == "regression" else _classes(items, features_n_P, options)
    )
    return fitted._replace(tensors=fitted.tensors | scale)


def _number(items: Labeled, features_n_P: Tensor) -> _Tried:
    offset, spread = items.centre()
    found = linear_fit(features_n_P, (items.targets.double() - offset) / spread)
    tensors = {
        "weights": (found.basis_P_R @ found.mean_R)[None],
        "basis": found.basis_P_R,
        "variance": found.variance_R,
        "precision": offset.new_tensor(found.precision),
        "noise": offset.new_tensor(found.noise),
        "offset": offset,
        "spread": spread,
    }
    return _Tried(found.log_evidence, tensors)


def _classes(items: Labeled, features_n_P: Tensor, options: Options) -> _Tried:
    problem = _problem(items, features_n_P)
    found = _climbed(problem) if options.precision is None else _at(problem, options.precision, None)
    tensors = {
        "weights": found.weights_C_P,
        "items": features_n_P,
        "precision": features_n_P.new_tensor(found.precision),
    }
    return _Tried(found.log_evidence, tensors)


class _At(NamedTuple):
    precision: float
    weights_C_P: Tensor
    log_evidence: float


def _at(problem: Problem, precision: float, start_C_P: Tensor | None) -> _At:
    if start_C_P is None:
        start_C_P = problem.features_n_P.new_zeros(problem.n_outputs, problem.features_n_P.shape[1])
    weights_C_P = best_weights(problem, precision, start_C_P)
    return _At(precision, weights_C_P, log_evidence(problem, precision, weights_C_P))


def _climbed(problem: Problem) -> _At:
    """Walks along the grid while the evidence grows, from the number of features on."""
    width = problem.features_n_P.shape[1]
    place = min(range(len(GRID)), key=lambda n: abs(GRID[n] - width))
    best = _at(problem, GRID[place], None)
    for step in (-1, 1):
        walked = place
        while 0 <= walked + step < len(GRID):
            walked += step
            found = _at(problem, GRID[walked], best.weights_C_P)
            if found.log_evidence <= best.log_evidence:
                break
            best = found
    return best


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> BayesianLinear:
    """Takes a saved state; the factory's module tells whether it fits."""
    return BayesianLinear.restored(module_factory, state, task)


class BayesianLinear(ItemFeatures):
    """A posterior whose samples are weights of one linear layer."""

    @classmethod
    def names(cls, task: Task) -> frozenset[str]:
        """Names the tensors of the state."""
        own = (
            {"basis", "variance", "noise", "offset", "spread"}
            if task == "regression"
            else {"items", "temperature"}
        )
        return frozenset({"weights", "precision", *own})

    @property
    def n_outputs(self) -> int:
        """Counts the outputs."""
        return 2 if self.task == "regression" else len(self.tensors["weights"])

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws weights [T, C, P]."""
        check_count("n_samples", n_samples)
        weights_C_P = self.tensors["weights"]
        prior = self._normal(*weights_C_P.shape, n_samples, seed=derived_seed(seed, 1))
        if self.task == "regression":
            return Draw(state={"weights": self._of_number(prior[0].T)})
        precision, items_n_P = float(self.tensors["precision"]), self.tensors["items"]
        found = Approximation(items_n_P, weights_C_P, precision, self.task)
        normal = self._normal(len(weights_C_P), len(items_n_P), n_samples, seed=derived_seed(seed, 2))
        deviations_T_C_P = self.tensors["temperature"].sqrt() * found.deviations(prior, normal)
        return Draw(state={"weights": (weights_C_P + deviations_T_C_P).contiguous()})

    def _normal(self, *shape: int, seed: int) -> Tensor:
        return torch.randn(*shape, generator=generator(seed), dtype=torch.float64).to(self.device)

    def _of_number(self, normal_T_P: Tensor) -> Tensor:
        """Scales along the basis; across it the prior stays."""
        basis_P_R, across = self.tensors["basis"], self.tensors["precision"].rsqrt()
        along_T_R = normal_T_P @ basis_P_R
        told_T_P = (along_T_R * (self.tensors["variance"].sqrt() - across)) @ basis_P_R.T
        return self.tensors["weights"] + (normal_T_P * across + told_T_P)[:, None]

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C, of regression [T, N, 2], by one matrix product."""
        with torch.inference_mode():
            found = outputs(draw.state["weights"], features)
            if self.task != "regression":
                return found
            means = found * self.tensors["spread"] + self.tensors["offset"]
            log_variance = (self.tensors["noise"] * self.tensors["spread"] ** 2).log()
            return torch.cat([means, log_variance.expand_as(means)], -1)
