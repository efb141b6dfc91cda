"""Gaussian process: an exact one on the items' features, with Dirichlet labels for classes.

Formula: a class label counts as Dirichlet(α) with α = α_ε + 1 for the class and α_ε for the others; its
log-normal approximation ỹ = ln α − σ²/2, σ² = ln(1/α + 1), makes classification C regressions with known
noise, p = softmax(f / temperature) (Milios et al. 2018, https://arxiv.org/abs/1805.10915). Each independent
label is two classes. A number is regressed on directly, its noise is found with the kernel
(``gaussian.kernel``). Draws are functions (``gaussian.draws``). The items ARE the features: flat,
standardised by training statistics. The factory's module is not trained, it only tells the number of
outputs. Cost: fitting and drawing O(C·n³) in float64, a second for 300 items of 10 classes; scoring as in
``gaussian.draws``. When: small label sets (up to ``max_items``) on good fixed features; for more "svgp".
Far from all items it knows that it does not know. What to tune: nothing to begin with. ``temperature``
repairs the under-confidence of Dirichlet labels by leave-one-out likelihood; ``scaling`` tells whether the
features have one unit ("common": pixels, embeddings) or each its own ("each": tables), None takes what has
the larger marginal likelihood.
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
from acquisition.gaussian.dirichlet_labels import (
    Scaled,
    Values,
    best_temperature,
    interpreted,
    scaled_by_evidence,
    values_of,
)
from acquisition.gaussian.draws import Known, drawn_functions, function_values
from acquisition.gaussian.item_features import (
    ItemFeatures,
    Labeled,
    check_positive,
    check_scaling,
    labeled,
)
from acquisition.gaussian.kernel import Kernel, factor, leave_one_out
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import TASKS, Task
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = (
    "Dirichlet labels alone are under-confident, so by default a temperature is fitted to leave-one-out "
    "predictions."
)


class Options(NamedTuple):
    """How to fit; see ``build``."""

    alpha_epsilon: float
    temperature: float | Literal["held_out"]
    scaling: str | None
    n_features: int
    steps: int
    max_items: int
    device: torch.device


def build(
    *,
    alpha_epsilon: float = 0.01,
    temperature: float | Literal["held_out"] = "held_out",
    scaling: str | None = None,
    n_features: int = 1024,
    steps: int = 20,
    max_items: int = 2000,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        alpha_epsilon: The Dirichlet concentration of a class without a label.
        temperature: Divides the functions; "held_out" takes the best of a grid for leave-one-out predictions.
        scaling: "each" or "common"; None takes the one of larger marginal likelihood.
        n_features: M, pairs of random Fourier features.
        steps: Of L-BFGS for the kernel's scales; 0 keeps the start.
        max_items: More labels than this are refused.
        device: Where to fit; the posterior stays there.
    """
    check_count("n_features", n_features)
    check_count("steps", steps, 0)
    check_count("max_items", max_items)
    check_positive("alpha_epsilon", alpha_epsilon)
    if temperature != "held_out":
        check_positive("temperature", temperature)
    check_scaling(scaling)
    options = Options(alpha_epsilon, temperature, scaling, n_features, steps, max_items, usable(device))
    return partial(_fit, options=options)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,  # noqa: ARG001 - nothing here is random
    progress: Progress,
    options: Options,
) -> GaussianProcess:
    items = labeled(module_factory, inputs, targets, options.device, TASKS)
    if len(items.targets) > options.max_items:
        raise InvalidInput(
            f"Found {len(items.targets)} items; an exact Gaussian process is for at most {options.max_items} "
            '(max_items). Use "svgp".'
        )
    values = values_of(items, options.alpha_epsilon)
    best = scaled_by_evidence(items.features_N_D, values, options.scaling, options.steps)
    temperature = options.temperature
    if items.task == "regression":
        temperature = 1.0
    elif temperature == "held_out":
        others = leave_one_out(best.found, best.items_n_D, values.values_C_n)
        temperature = best_temperature(others, items)
    progress(1, 1)
    return _posterior(best, values, items, float(temperature), options.n_features)


def _posterior(
    best: Scaled, values: Values, items: Labeled, temperature: float, n_features: int
) -> GaussianProcess:
    number = partial(torch.tensor, device=best.items_n_D.device)
    tensors = best.scale | {
        "items": best.items_n_D,
        "values": values.values_C_n,
        "noise": best.found.noise_C_n,
        "lengthscale": best.found.kernel.lengthscale,
        "variance": best.found.kernel.variance,
        "offset": values.offset,
        "spread": values.spread,
        "temperature": number(temperature, dtype=torch.float64),
        "n_features": number(n_features),
    }
    return GaussianProcess(tensors, items.task)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> GaussianProcess:
    """Takes a saved state; the factory's module tells whether it fits."""
    return GaussianProcess.restored(module_factory, state, task)


class GaussianProcess(ItemFeatures):
    """A posterior whose samples are functions."""

    @classmethod
    def names(cls, task: Task) -> frozenset[str]:  # noqa: ARG003 - all tasks have the same
        """Names the tensors of the state."""
        return frozenset(
            {
                "items",
                "values",
                "noise",
                "lengthscale",
                "variance",
                "offset",
                "spread",
                "temperature",
                "n_features",
            }
        )

    @property
    def n_outputs(self) -> int:
        """Counts the outputs."""
        n_functions = len(self.tensors["values"])
        return {"regression": 2, "multilabel": n_functions // 2}.get(self.task, n_functions)

    @property
    def temperature(self) -> float:
        """Divides the functions."""
        return float(self.tensors["temperature"])

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return Kernel(self.tensors["lengthscale"], self.tensors["variance"])

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws functions: θ [T, C, 2M] and v [T, C, n]."""
        check_count("n_samples", n_samples)
        noise_C_n, items_n_D = self.tensors["noise"], self.tensors["items"]
        normal = torch.randn(
            *noise_C_n.shape, n_samples, generator=generator(derived_seed(seed, 2)), dtype=torch.float64
        )
        values = self.tensors["values"][..., None] + noise_C_n.sqrt()[..., None] * normal.to(self.device)
        known = Known(items_n_D, values, self._solve)
        return drawn_functions(self.kernel, known, int(self.tensors["n_features"]), seed)

    def _solve(self, residuals_C_n_T: Tensor) -> Tensor:
        items_n_D, noise_C_n = self.tensors["items"], self.tensors["noise"]
        return torch.stack(
            [
                torch.cholesky_solve(residuals_n_T, factor(self.kernel, items_n_D, noise_n))
                for residuals_n_T, noise_n in zip(residuals_C_n_T, noise_C_n, strict=True)
            ]
        )

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C, of regression [T, N, 2]; offsets that all classes share say nothing."""
        with torch.inference_mode():
            functions = function_values(self.kernel, self.tensors["items"], draw, features)
            if self.task != "regression":
                return interpreted(self.task, functions) / self.tensors["temperature"]
            spread = self.tensors["spread"]
            means = functions * spread + self.tensors["offset"]
            log_variance = (self.tensors["noise"][0, 0] * spread**2).log()
            return torch.cat([means, log_variance.expand_as(means)], -1)
