"""The records and protocols of the package, and the letters that its names are made of.

T posterior samples, N items, C classes, D features of an item, K items kept or chosen.
A tensor's shape is in its name: ``log_probs_T_N_C`` has T first. Log-probabilities, entropies and
mutual information are in nats. A larger score is always more wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from acquisition.tasks import Task

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
        task: What the outputs mean, see ``tasks``.
        n_outputs: Number of classes or labels, 2 for regression; None until the first item was seen, where
            a model does not tell.
        max_samples: How many different samples exist; None where there is no limit.
    """

    @property
    def task(self) -> Task:
        """Says what the outputs mean."""
        ...

    @property
    def n_outputs(self) -> int | None:
        """Counts the outputs of one network for one item."""
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
        """Computes the outputs of T networks: logits_T_N_C, [T, N, L] or [T, N, 2]."""
        ...

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D, the input of the last layer where all randomness is off."""
        ...

    def to(self, device: torch.device | str) -> Posterior:
        """Returns this posterior on a device; itself where it is there already."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Returns all tensors that ``restore`` needs."""
        ...


class Function(Protocol):
    """A built acquisition function of ``Predictions``, or of ``RegressionPredictions`` where it says so."""

    def __call__(self, predictions: Any) -> Tensor:
        """Returns scores_N; larger is more wanted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What a selector may look at; tensors of candidates have one row each (N).

    Attributes:
        scores_N: Larger is more wanted.
        log_probs_T_N_C: Predictions of T networks.
        features_N_D: Embeddings.
        labeled_M_D: Embeddings of the M items that have a label already.
        groups_N: The group of each candidate as an integer: a predicted class, a source, a cluster.
    """

    scores_N: Tensor | None = None
    log_probs_T_N_C: Tensor | None = None
    features_N_D: Tensor | None = None
    labeled_M_D: Tensor | None = None
    groups_N: Tensor | None = None

    def __len__(self) -> int:
        sizes = [len(t) for t in (self.scores_N, self.features_N_D, self.groups_N) if t is not None]
        return sizes[0] if sizes else (0 if self.log_probs_T_N_C is None else self.log_probs_T_N_C.shape[1])

    def __getitem__(self, rows: Tensor) -> Candidates:
        """Returns some of the candidates; what is labeled stays."""
        return replace(
            self,
            scores_N=None if self.scores_N is None else self.scores_N[rows],
            log_probs_T_N_C=None if self.log_probs_T_N_C is None else self.log_probs_T_N_C[:, rows],
            features_N_D=None if self.features_N_D is None else self.features_N_D[rows],
            groups_N=None if self.groups_N is None else self.groups_N[rows],
        )


class _Pair(NamedTuple):
    indices: Tensor
    gains: Tensor


class Selection(_Pair):
    """A batch in order of choice: the pair (indices, gains).

    Attributes:
        indices: Positions in the candidates, all different.
        gains: What each choice was worth to the selector that made it.
        propensities: The chance that a choice made at random had to be drawn; NaN for choices that the
            selector made; None where nothing was drawn at random.
        proposals: Where candidates are drawn one after the other, the chance that each had of being the next
            one, given those before it; None of a selector that does not draw them so.
    """

    propensities: Tensor | None = None
    proposals: Tensor | None = None

    def with_propensities(self, propensities: Tensor) -> Selection:
        """Returns the batch with the chances of its random choices."""
        drawn = Selection(self.indices, self.gains)
        drawn.propensities = propensities
        return drawn

    def with_proposals(self, proposals: Tensor) -> Selection:
        """Returns the batch with the chances of its draws."""
        drawn = Selection(self.indices, self.gains)
        drawn.proposals = proposals
        return drawn


class Selector(Protocol):
    """A built selector."""

    def __call__(self, candidates: Candidates, batch_size: int, *, seed: int) -> Selection:
        """Chooses ``batch_size`` different candidates."""
        ...


class Composition(Protocol):
    """A built way to make one score of several."""

    def __call__(self, scores: Mapping[str, Tensor]) -> Tensor:
        """Returns scores_N; larger is more wanted."""
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
        predicted_N: The class of largest mean probability; of several labels, [N, L], whether each is likely;
            of regression the mean.
        confidence_N: That probability, or [N, L] of them; of regression NaN.
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
