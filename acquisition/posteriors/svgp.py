"""SVGP: a sparse Gaussian process on the items' features, for more labels than the exact one takes.

Formula: functions told by their values at M inducing points, which are items drawn at random
(``sparse_values``); labels count as Dirichlet (``dirichlet_labels``), so that the maximum of the
variational bound over those values has a closed form and nothing is trained in steps. Kernel and noise
are those of an exact Gaussian process on at most 512 items, the temperature is that of four held-out
folds. Draws are functions (``gaussian.draws``). The items ARE the features: flat, standardised by training
statistics. The factory's module is not trained, it only tells the number of outputs. Source: Titsias
2009; Hensman et al. 2015, https://arxiv.org/abs/1411.2005; Milios et al. 2018,
https://arxiv.org/abs/1805.10915.
Cost: fitting O(C·n·M²) in float64; scoring as in ``gaussian.draws`` with n = M. When: thousands to a hundred
thousand labels on good fixed features. What to tune: ``inducing``, more where classes have fine
borders.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.gaussian.dirichlet_labels import (
    Scaled,
    best_temperature,
    interpreted,
    scaled_by_evidence,
    values_of,
)
from acquisition.gaussian.draws import function_values
from acquisition.gaussian.item_features import ItemFeatures, Labeled, check_positive, check_scaling, labeled
from acquisition.gaussian.kernel import Marginals
from acquisition.gaussian.sparse_values import Observed, SparseValues, told, whitened
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import TASKS, Task
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

NOTICE = (
    "Approximate: with few inducing points it is less sure and less accurate than the exact Gaussian process."
)
FOLDS = 4


class Options(NamedTuple):
    """How to fit; see ``build``."""

    inducing: int
    alpha_epsilon: float
    temperature: float | Literal["held_out"]
    scaling: str | None
    n_features: int
    device: torch.device


def build(
    *,
    inducing: int = 256,
    alpha_epsilon: float = 0.01,
    temperature: float | Literal["held_out"] = "held_out",
    scaling: str | None = None,
    n_features: int = 1024,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        inducing: M, at most the number of items.
        alpha_epsilon: The Dirichlet concentration of a class without a label.
        temperature: Divides the functions; "held_out" takes the best of a grid for four held-out folds.
        scaling: "each" or "common" deviation of the features; None takes the one of larger evidence.
        n_features: Pairs of random Fourier features.
        device: Where to fit; the posterior stays there.
    """
    check_count("inducing", inducing)
    check_count("n_features", n_features)
    check_positive("alpha_epsilon", alpha_epsilon)
    if temperature != "held_out":
        check_positive("temperature", temperature)
    check_scaling(scaling)
    options = Options(inducing, alpha_epsilon, temperature, scaling, n_features, usable(device))
    return partial(_fit, options=options)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    options: Options,
) -> Svgp:
    items = labeled(module_factory, inputs, targets, options.device, TASKS)
    values = values_of(items, options.alpha_epsilon)
    scaled = scaled_by_evidence(items.features_N_D, values, options.scaling)
    places_M_D = _places(scaled.items_n_D, options.inducing, seed)
    seen = whitened(scaled.found.kernel, places_M_D, scaled.items_n_D)
    observed = Observed(seen, values.values_C_n, scaled.found.noise_C_n)
    temperature = _temperature(places_M_D, scaled, observed, items, options)
    tensors = told(places_M_D, scaled.found.kernel, observed).tensors() | scaled.scale
    tensors |= {
        "offset": values.offset,
        "spread": values.spread,
        "noise": scaled.found.noise_C_n[0, 0],
        "temperature": values.offset.new_tensor(temperature),
        "n_features": torch.tensor(options.n_features, device=options.device),
    }
    progress(1, 1)
    return Svgp(tensors, items.task)


def _places(items_n_D: Tensor, inducing: int, seed: int) -> Tensor:
    order = torch.randperm(len(items_n_D), generator=generator(derived_seed(seed, 6)))
    return items_n_D[order[:inducing].to(items_n_D.device)]


def _temperature(
    places_M_D: Tensor, scaled: Scaled, observed: Observed, items: Labeled, options: Options
) -> float:
    if items.task == "regression":
        return 1.0
    if options.temperature != "held_out":
        return options.temperature
    n_items = len(items.targets)
    order = torch.randperm(n_items, generator=generator(0)).to(places_M_D.device)
    others = Marginals(torch.zeros_like(observed.values_C_n), torch.zeros_like(observed.values_C_n))
    for held_out in order.chunk(min(FOLDS, n_items)):
        kept_n = torch.ones(n_items, dtype=torch.bool, device=order.device).index_fill(
            0, held_out, value=False
        )
        found = told(places_M_D, scaled.found.kernel, observed.rows(kept_n))
        means, variances = found.marginals(observed.whitened_M_n[:, held_out])
        others.means_C_n[:, held_out], others.variances_C_n[:, held_out] = means, variances
    return best_temperature(others, items)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> Svgp:
    """Takes a saved state; the factory's module tells whether it fits."""
    return Svgp.restored(module_factory, state, task)


class Svgp(ItemFeatures):
    """A posterior whose samples are functions through inducing points."""

    @classmethod
    def names(cls, task: Task) -> frozenset[str]:  # noqa: ARG003 - all tasks have the same
        """Names the tensors of the state."""
        functions = {"places", "lengthscale", "variance", "white_mean", "white_factor"}
        return frozenset({*functions, "offset", "spread", "noise", "temperature", "n_features"})

    @property
    def n_outputs(self) -> int:
        """Counts the outputs."""
        n_functions = len(self.tensors["white_mean"])
        return {"regression": 2, "multilabel": n_functions // 2}.get(self.task, n_functions)

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws functions: θ [T, C, 2F] and v [T, C, M]."""
        check_count("n_samples", n_samples)
        return SparseValues.of(self.tensors).draw(n_samples, int(self.tensors["n_features"]), seed)

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C, of regression [T, N, 2]."""
        with torch.inference_mode():
            found = SparseValues.of(self.tensors)
            functions = function_values(found.kernel, found.places_M_D, draw, features)
            if self.task != "regression":
                return interpreted(self.task, functions) / self.tensors["temperature"]
            spread = self.tensors["spread"]
            means = functions * spread + self.tensors["offset"]
            log_variance = (self.tensors["noise"] * spread**2).log()
            return torch.cat([means, log_variance.expand_as(means)], -1)
