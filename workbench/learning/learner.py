"""The learner: payloads and labels in, a posterior out, and from it predictions and scores as streams.

A learner holds no model. What training gives is a posterior that the caller keeps, saves and passes back;
the scale of numeric features is a layer of its model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import acquisition
from acquisition import AcquisitionError, Posterior, ScoredChunk
from acquisition.types import Progress
from workbench.domain.errors import ArtifactProblem, ModelProblem
from workbench.learning.calling import DOCTOR
from workbench.learning.checkpoint import REMEDY, Saved, read_checkpoint, write_checkpoint
from workbench.learning.encoders.catalog import build_encoder
from workbench.learning.encoders.features import Scale
from workbench.learning.encoders.protocol import Encoder, Payload
from workbench.learning.network import SCALED, network_factory
from workbench.learning.spec import LearnerSpec, data_hash, fingerprint

__all__ = ["Learner", "LearnerSpec", "data_hash", "fingerprint"]

SHAPE = "input_shape"
PayloadBatches = Iterable[Sequence[Payload]]


class Learner:
    """Trains and asks the posteriors of one configuration."""

    def __init__(self, spec: LearnerSpec) -> None:
        self.spec = spec
        # The shape of one item, which a checkpoint needs and not every posterior knows.
        self._shapes: WeakKeyDictionary[Posterior, tuple[int, ...]] = WeakKeyDictionary()

    def fit(
        self,
        payloads: Sequence[Payload],
        labels: Sequence[str],
        *,
        seed: int,
        progress: Progress | None = None,
        population: PayloadBatches | None = None,
    ) -> Posterior:
        """Train in the calling thread; the same arguments give the same weights.

        Args:
            payloads: The labeled items.
            labels: A class for each of them.
            seed: Of all that is random here; the global random state stays as it was.
            progress: Told the epochs done and their number.
            population: For numeric features, the pool to learn the scale of the columns from; without it
                the labeled items have to do.

        Raises:
            ModelProblem: Labels of fewer than two classes or of none of the project's, or a model that can
                not be built or trained.
            PoolProblem: An item that can not be read.
        """
        targets = self._targets(labels)
        inputs = self.encode(payloads)
        scale = self._scale(population, inputs) if self.spec.encoder in SCALED else None
        factory = network_factory(self.spec, tuple(inputs.shape[1:]), scale)
        with _explained():
            posterior = acquisition.fit(
                self.spec.posterior,
                factory,
                (inputs, targets),
                seed=seed,
                progress=progress,
                **self.spec.posterior_options,
            )
        self._shapes[posterior] = tuple(inputs.shape[1:])
        return posterior

    def save(self, posterior: Posterior, folder: Path, stem: str) -> Saved:
        """Write a posterior of this learner under a name that begins with ``stem``; says which, and its hash.

        Raises:
            ArtifactProblem: It can not be written; nothing half-written stays.
        """
        note = {"configuration": fingerprint(self.spec), SHAPE: list(self._shapes[posterior])}
        return write_checkpoint(folder, stem, posterior.state(), note)

    def load(self, path: Path, sha256: str) -> Posterior:
        """Read a posterior.

        Raises:
            ArtifactProblem: The file is missing, damaged, or of another configuration.
            ModelProblem: The model can not be built any more.
        """
        state, note = read_checkpoint(path, sha256)
        if note.get("configuration") != fingerprint(self.spec):
            raise ArtifactProblem(
                f"The checkpoint {path} was trained with another configuration than workbench.toml has now. "
                f"{REMEDY}"
            )
        shape = tuple(note[SHAPE])
        scale = Scale.blank(shape) if self.spec.encoder in SCALED else None
        factory = network_factory(self.spec, shape, scale)
        try:
            posterior = acquisition.restore(self.spec.posterior, factory, state)
        except AcquisitionError as error:
            raise ArtifactProblem(f"The checkpoint {path} does not fit: {error} {REMEDY}") from error
        placed = posterior.to(self.spec.posterior_options.get("device", "cpu"))
        self._shapes[placed] = shape
        return placed

    def predict(self, posterior: Posterior, batches: PayloadBatches, *, seed: int) -> Iterator[Tensor]:
        """Yield probabilities_N_C, the mean over the posterior's samples, in the order of the items.

        Raises:
            ModelProblem: The model can not take the items, or its outputs are no class scores.
            PoolProblem: An item that can not be read.
        """
        for log_probs_T_N_C in self.samples(posterior, batches, seed=seed):
            yield log_probs_T_N_C.exp().mean(0).cpu()

    def samples(self, posterior: Posterior, batches: PayloadBatches, *, seed: int) -> Iterator[Tensor]:
        """Yield log_probs_T_N_C of a stream of items, in their order; the same samples for all.

        Raises:
            ModelProblem: As in ``predict``.
            PoolProblem: An item that can not be read.
        """
        for inputs in self._encoded(batches):
            yield self.sampled(posterior, inputs, seed=seed)

    def sampled(self, posterior: Posterior, inputs: Tensor, *, seed: int) -> Tensor:
        """Compute log_probs_T_N_C of encoded items.

        Raises:
            ModelProblem: As in ``predict``.
        """
        with _explained():
            log_probs_T_N_C = acquisition.predict(posterior, inputs, self.spec.n_samples, seed)
        assert isinstance(log_probs_T_N_C, Tensor)  # a project's labels are classes
        self._check_outputs(log_probs_T_N_C)
        return log_probs_T_N_C

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode items as the model sees them; for as many as memory holds.

        Raises:
            ModelProblem: There is no such encoder, or a user's transform that fails.
            PoolProblem: An item that can not be read.
        """
        return torch.cat(list(self._encoded([payloads])))

    def score(
        self,
        posterior: Posterior,
        batches: PayloadBatches,
        *,
        function: str,
        seed: int,
        start: int = 0,
        options: Mapping[str, Any] | None = None,
        others: Mapping[str, Sequence[Payload]] | None = None,
    ) -> Iterator[ScoredChunk]:
        """Yield the scores of the items in their order; the same posterior samples for all.

        Args:
            posterior: From ``fit`` or ``load``.
            batches: Payloads.
            function: An acquisition function's name.
            seed: Of the samples; one seed for all shards of a pool.
            start: The number of the first item in the whole pool.
            options: The function's own.
            others: Items that the function compares with: ``targets``, ``labeled``.

        Raises:
            ModelProblem: As in ``predict``, or no such function.
            PoolProblem: An item that can not be read.
        """
        compared: dict[str, Any] = {name: self.encode(items) for name, items in (others or {}).items()}
        with _explained():
            yield from acquisition.score_pool(
                posterior,
                self._encoded(batches),
                function,
                self.spec.n_samples,
                seed,
                start,
                **(options or {}),
                **compared,
            )

    def sampled_all(self, posterior: Posterior, batches: PayloadBatches, *, seed: int) -> Tensor:
        """Compute log_probs_T_N_C of as many items as memory holds, for a selector that looks at them.

        Raises:
            ModelProblem: As in ``predict``.
            PoolProblem: An item that can not be read.
        """
        return torch.cat([part.cpu() for part in self.samples(posterior, batches, seed=seed)], 1)

    def embed(self, posterior: Posterior, batches: PayloadBatches) -> Tensor:
        """Compute features_N_D of items: what the model makes of them before it decides.

        Raises:
            ModelProblem: The model can not take the items.
            PoolProblem: An item that can not be read.
        """
        with _explained():
            return acquisition.embed(posterior, self._encoded(batches))

    def coverage(self, batches: PayloadBatches, *, seed: int) -> NDArray[np.float32]:
        """Compute features_N_D of items for a selector that spreads its picks; needs no model.

        Raises:
            PoolProblem: An item that can not be read.
        """
        return self._encoder.coverage(batches, seed)

    def plain(self, payloads: Sequence[Payload]) -> NDArray[Any]:
        """Compute features_N_D of items, each from its item alone: the same in every round, without a model.

        Raises:
            PoolProblem: An item that can not be read.
        """
        return self._encoder.plain(payloads)

    @cached_property
    def _encoder(self) -> Encoder:
        spec = self.spec
        return build_encoder(
            spec.encoder,
            spec.encoder_options,
            transform=spec.transform,
            project_root=spec.project_root,
            features_folder=spec.features_folder,
        )

    def _encoded(self, batches: PayloadBatches) -> Iterator[Tensor]:
        """Encode a stream, never more rows at once than the encoder wants."""
        rows = self._encoder.rows_at_once
        for batch in batches:
            for first in range(0, len(batch), rows):
                yield self._encoder.encode(batch[first : first + rows])

    def _targets(self, labels: Sequence[str]) -> Tensor:
        numbers = {name: number for number, name in enumerate(self.spec.classes)}
        strangers = sorted(set(labels) - numbers.keys())
        if strangers:
            raise ModelProblem(
                f"Found the label {strangers[0]!r}; the classes are {', '.join(self.spec.classes)}. "
                "Correct the label, or add the class to workbench.toml."
            )
        found = sorted(set(labels))
        if len(found) < 2:
            raise ModelProblem(
                f"Found {len(labels)} labels of {len(found)} class{'' if len(found) == 1 else 'es'}"
                f"{f' ({found[0]})' if found else ''}; expected at least two classes to tell apart. "
                "Type `workbench round ask` and label more items."
            )
        return torch.tensor([numbers[label] for label in labels])

    def _scale(self, population: PayloadBatches | None, inputs: Tensor) -> Scale:
        return Scale.of([inputs] if population is None else self._encoded(population))

    def _check_outputs(self, log_probs_T_N_C: Tensor) -> None:
        found, expected = log_probs_T_N_C.shape[-1], len(self.spec.classes)
        if found != expected:
            raise ModelProblem(
                f"The model {self.spec.model} has {found} outputs, expected {expected}, one per class. "
                f"Let its factory take n_classes. {DOCTOR}"
            )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the acquisition library says into what the user can do."""
    try:
        yield
    except AcquisitionError as error:
        raise ModelProblem(
            f"{error} Look at [model], [posterior] and [acquisition] in workbench.toml. {DOCTOR}"
        ) from error
    except torch.OutOfMemoryError as error:
        raise ModelProblem(
            "The device has not enough memory for this model. Use a smaller one, a smaller batch_size or "
            f"fewer samples in [posterior]. {DOCTOR}"
        ) from error
