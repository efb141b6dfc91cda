"""SWAG: a Gaussian around the average of the weights that stochastic gradient descent passes through.

After ordinary training, SGD with a constant rate goes on; at the end of every collected pass its weights w_i
are one more observation. mean = average of w_i, diagonal = average of w_i² − mean², D = the last K deviations
w_i − (average so far). A sample of the posterior is
mean + √½ diagonal^½ z₁ + D z₂ / √(2 (K − 1)): covariance ½ (diagonal + D Dᵀ / (K − 1)).

With batch normalisation the statistics of a drawn network are computed from training items; for that the
state holds up to 1,024 of them. Cost: ``collected`` more passes over the data; scoring T passes per item, and
with batch normalisation one pass of those items per drawn network.
Tune ``swag_learning_rate``: too small and all samples are alike, too large and the mean is no good.
Source: Maddox et al. 2019, https://arxiv.org/abs/1902.02476.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.randomness import derived_seed, forked, generator
from acquisition.tasks import Task
from acquisition.training import Data, Recipe, batches, checked_data, made, refuse_loss, train
from acquisition.types import Fitter, ModuleFactory, Progress
from acquisition.weights.batch_statistics import BatchStatistics, statistics_of
from acquisition.weights.flat_weights import Flattened, Layout, restored_mean, with_weights
from acquisition.weights.minibatches import phase
from acquisition.weights.weight_samples import WeightPosterior, noise

NOTICE = "needs tuning: the spread of the samples follows swag_learning_rate"
KEPT_ORDER = 2**21
LARGEST_GRADIENT = 1.0  # its norm; where a number is predicted almost without noise, SGD would run away


class Moments(NamedTuple):
    """What was seen of a path of weights.

    Attributes:
        n_seen: How many weights.
        mean_P: Their average.
        spread_P: The sum of their squared distances from it (Welford: no difference of large squares).
        deviations_K_P: The last K deviations from the average at the time, oldest first.
    """

    n_seen: int
    mean_P: Tensor
    spread_P: Tensor
    deviations_K_P: Tensor

    @classmethod
    def of_nothing(cls, like_P: Tensor) -> Moments:
        """Returns the moments before the first observation."""
        zeros = torch.zeros_like(like_P)
        return cls(0, zeros, zeros, like_P.new_empty(0, len(like_P)))

    def seen(self, weights_P: Tensor, rank: int) -> Moments:
        """Returns the moments with one observation more."""
        mean_P = self.mean_P + (weights_P - self.mean_P) / (self.n_seen + 1)
        spread_P = self.spread_P + (weights_P - self.mean_P) * (weights_P - mean_P)
        deviations_K_P = torch.cat([self.deviations_K_P, (weights_P - mean_P)[None]])[-rank:]
        return Moments(self.n_seen + 1, mean_P, spread_P, deviations_K_P)

    @property
    def variance_P(self) -> Tensor:
        """The variance of each weight along the path, the average of w² − mean²."""
        return self.spread_P / self.n_seen


def build(
    *,
    collected: int = 40,
    rank: int = 20,
    swag_learning_rate: float = 1e-2,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter.

    Args:
        collected: Passes over the data whose last weights are observed, at least 2.
        rank: K, the number of deviations that are kept, at least 2.
        swag_learning_rate: Of SGD while weights are collected, with momentum 0.9.
        epochs: Of the training before that; see ``Recipe``, also for the other options.
        batch_size: Largest number of items per step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW; of SGD too.
        device: Where to train.
    """
    check_count("collected", collected, 2)
    check_count("rank", rank, 2)
    if not 0 < swag_learning_rate < math.inf:
        raise InvalidOption(f"swag_learning_rate is {swag_learning_rate!r}; a number above 0 is expected.")
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, recipe=recipe, collected=collected, rank=rank, rate=swag_learning_rate)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    collected: int,
    rank: int,
    rate: float,
) -> WeightPosterior:
    data = checked_data(inputs, targets, recipe.device)
    n_epochs = recipe.n_epochs(len(data.inputs))
    first = phase(progress, 0, n_epochs, collected)
    module = train(made(module_factory, seed), inputs, targets, recipe=recipe, seed=seed, progress=first)
    flattened = Flattened(module.train())
    momentum_P = torch.zeros_like(flattened.values)
    moments = Moments.of_nothing(flattened.values)
    second = phase(progress, n_epochs, collected)
    with forked(derived_seed(seed, KEPT_ORDER + 1)):
        for epoch in range(collected):
            for rows in batches(len(data.inputs), recipe, seed, n_epochs + epoch):
                refuse_loss(flattened.gradient(data, rows), n_epochs + epoch)
                nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
                momentum_P.mul_(0.9).add_(flattened.gradients + recipe.weight_decay * flattened.values)
                flattened.values.sub_(rate * momentum_P)
            moments = moments.seen(flattened.values, rank)
            second(epoch + 1, collected)
    return _posterior(module, flattened.layout, moments, data, seed)


def _posterior(module: nn.Module, layout: Layout, moments: Moments, data: Data, seed: int) -> WeightPosterior:
    """Puts the mean into the module."""
    with_weights(module, layout, moments.mean_P)
    order = torch.randperm(len(data.inputs), generator=generator(derived_seed(seed, KEPT_ORDER)))
    statistics = statistics_of(module, data.inputs, order.to(data.inputs.device))
    if statistics is not None:
        for name, buffer in statistics.of(layout.views(moments.mean_P)).items():
            module.get_buffer(name).copy_(buffer)
    drawn = LowRank(layout, moments.mean_P, moments.variance_P, moments.deviations_K_P, statistics)
    return WeightPosterior(module, drawn, data.task)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> WeightPosterior:
    """Puts a saved state into a new module."""
    module = restored_mean(module_factory, state)
    layout = Layout(module)
    statistics = BatchStatistics(module, state["items"]) if "items" in state else None
    drawn = LowRank(
        layout,
        layout.read("mean", state),
        layout.read("variance", state),
        layout.read("deviations", state, leading=1),
        statistics,
    )
    return WeightPosterior(module, drawn, task)


class LowRank:
    """Normal weights with covariance ½ (variance + D Dᵀ / (K − 1))."""

    max_samples: int | None = None

    def __init__(
        self,
        layout: Layout,
        mean_P: Tensor,
        variance_P: Tensor,
        deviations_K_P: Tensor,
        statistics: BatchStatistics | None = None,
    ) -> None:
        self.layout = layout
        self.mean_P = mean_P
        self.variance_P = variance_P
        self.deviations_K_P = deviations_K_P
        self.statistics = statistics

    def weights(self, key: int) -> dict[str, Tensor]:
        """Draws one network with the noise of the key."""
        rank, size = self.deviations_K_P.shape
        z = noise(key, self.mean_P, size + rank)
        low_rank_P = z[size:] @ self.deviations_K_P / math.sqrt(2 * (rank - 1))
        drawn_P = self.mean_P + (0.5 * self.variance_P).sqrt() * z[:size] + low_rank_P
        weights = self.layout.views(drawn_P)
        return weights if self.statistics is None else weights | self.statistics.of(weights)

    def to(self, device: torch.device | str) -> LowRank:
        """Returns the sampler on a device."""
        statistics = None if self.statistics is None else self.statistics.to(device)
        mean_P, variance_P = self.mean_P.to(device), self.variance_P.to(device)
        return LowRank(self.layout, mean_P, variance_P, self.deviations_K_P.to(device), statistics)

    def state(self) -> dict[str, Tensor]:
        """Returns the moments by name, and the items of the statistics."""
        named = self.layout.named("mean", self.mean_P) | self.layout.named("variance", self.variance_P)
        items = {} if self.statistics is None else {"items": self.statistics.items}
        return named | self.layout.named("deviations", self.deviations_K_P) | items
