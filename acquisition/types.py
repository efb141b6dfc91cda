"""The records and protocols of the package, and the letters that its names are made of.

T posterior samples, N items, C classes, D features of an item, K items kept or chosen.
A tensor's shape is in its name: ``log_probs_T_N_C`` has T first. Log-probabilities, entropies and
mutual information are in nats. A larger score is always more wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

ModuleFactory = Callable[[], nn.Module]
Progress = Callable[[int, int], None]
Batches = Tensor | Iterable[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """T frozen samples of a posterior; every tensor has T first.

    One draw is used for every item of a pool, so that scores of different items belong to the same
    T networks. ``draw[:5]`` is the draw of the first five of them.
    """

    state: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.state.values())))

    def __getitem__(self, samples: slice) -> Draw:
        return replace(self, state={name: tensor[samples] for name, tensor in self.state.items()})


class Posterior(Protocol):
    """A distribution over networks.

    Attributes:
        task: What the outputs are; ``"classification"``.
        n_outputs: Number of classes; None until the first item was seen, where a model does not tell.
        max_samples: How many different samples exist; None where there is no limit.
    """

    @property
    def task(self) -> str:
        """Says what the outputs are."""
        ...

    @property
    def n_outputs(self) -> int | None:
        """Counts the classes."""
        ...

    @property
    def max_samples(self) -> int | None:
        """Counts the different samples."""
        ...

    @property
    def device(self) -> torch.device:
        """Says where the computation is done."""
        ...

    def features(self, inputs: Tensor) -> Tensor:
        """Computes the part that all samples share, once per item."""
        ...

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws samples from an own generator; touches no global random state."""
        ...

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        ...

    def to(self, device: torch.device | str) -> Posterior:
        """Returns this posterior on a device; itself where it is there already."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Returns all tensors that ``restore`` needs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What T networks say about N items: the one argument of every acquisition function.

    Attributes:
        log_probs_T_N_C: Log-probabilities of each network.
        mean_probs_N_C: Their mean in probability, the prediction of all networks together.
        predictive_entropy_N: H of the mean, in nats.
        expected_entropy_N: Mean of H over the networks, in nats.
        rows_N: The number of each item in the whole pool.
    """

    log_probs_T_N_C: Tensor
    mean_probs_N_C: Tensor
    predictive_entropy_N: Tensor
    expected_entropy_N: Tensor
    rows_N: Tensor


class Function(Protocol):
    """A built acquisition function."""

    def __call__(self, predictions: Predictions) -> Tensor:
        """Returns scores_N; larger is more wanted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What a selector may look at; each tensor has one row per candidate (N)."""

    scores_N: Tensor | None = None
    log_probs_T_N_C: Tensor | None = None
    features_N_D: Tensor | None = None


class Selection(NamedTuple):
    """A batch in order of choice.

    Attributes:
        indices: Positions in the candidates, all different.
        gains: What each choice was worth to the selector that made it.
    """

    indices: Tensor
    gains: Tensor


class Selector(Protocol):
    """A built selector."""

    def __call__(self, candidates: Candidates, batch_size: int, *, seed: int) -> Selection:
        """Chooses ``batch_size`` different candidates."""
        ...


class Fitter(Protocol):
    """A built way to train a posterior."""

    def __call__(
        self, module_factory: ModuleFactory, inputs: Tensor, targets: Tensor, *, seed: int, progress: Progress
    ) -> Posterior:
        """Trains and returns the posterior."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredChunk:
    """The scores of neighbouring items of a pool, on the CPU.

    Attributes:
        start: Row of the first item, counted over the whole pool.
        scores_N: The acquisition function's scores.
        predictive_entropy_N: H of the mean prediction, in nats.
        expected_entropy_N: Mean entropy of the networks, in nats.
        mutual_information_N: The difference of the two, in nats.
        predicted_N: The class of largest mean probability.
        confidence_N: That probability.
    """

    start: int
    scores_N: Tensor
    predictive_entropy_N: Tensor
    expected_entropy_N: Tensor
    mutual_information_N: Tensor
    predicted_N: Tensor
    confidence_N: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPool:
    """The best items of a pool, best first; fields as in ``ScoredChunk``.

    Attributes:
        indices: Rows, counted over the whole pool.
        scores: The acquisition function's scores, falling.
        predictive_entropy: H of the mean prediction, in nats.
        expected_entropy: Mean entropy of the networks, in nats.
        mutual_information: The difference of the two, in nats.
        predicted: The class of largest mean probability.
        confidence: That probability.
        n_items: How many items were scored.
    """

    indices: Tensor
    scores: Tensor
    predictive_entropy: Tensor
    expected_entropy: Tensor
    mutual_information: Tensor
    predicted: Tensor
    confidence: Tensor
    n_items: int
