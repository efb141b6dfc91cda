"""Texts as embeddings of a pretrained sentence model; needs the extra ``text``."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.learning.encoders.protocol import Payload

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def build(*, model: str = DEFAULT_MODEL, batch_size: int = 64, device: str = "cpu") -> "Sentences":
    """Build the encoder; the model is loaded when the first text is encoded.

    Args:
        model: A folder, or a name that sentence-transformers can download.
        batch_size: Texts per pass.
        device: Where to compute.
    """
    return Sentences(model, batch_size, device)


class Sentences:
    """Embeddings of length one; holds the loaded model."""

    rows_at_once = 1024

    def __init__(self, model: str, batch_size: int, device: str) -> None:
        self._name, self._batch_size, self._device = model, batch_size, device
        self._model: Any = None

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode texts as [B, dimensions of the model] in float32."""
        if self._model is None:
            self._model = _load(self._name, self._device)
        texts = [payload["text"] for payload in payloads]
        embedded = self._model.encode(
            texts, batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return torch.from_numpy(np.array(embedded, np.float32))

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:  # noqa: ARG002 - nothing is drawn
        """Compute the embeddings themselves."""
        encoded = (self.encode(rows).numpy() for batch in batches for rows in _cut(batch, self.rows_at_once))
        return np.concatenate(list(encoded) or [np.empty((0, 1), np.float32)])


def _cut(batch: Sequence[Payload], rows: int) -> Iterable[Sequence[Payload]]:
    return (
        batch[first : first + rows]
        for first in itertools.takewhile(len(batch).__gt__, itertools.count(0, rows))
    )


def _load(name: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelProblem(
            "The encoder 'sentence' needs sentence-transformers, which can not be imported. "
            "Type `pip install 'active-labeling-workbench[text]'`, or use the encoder 'text'."
        ) from error
    try:
        with torch.random.fork_rng():
            return SentenceTransformer(name, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        first = next(iter(str(error).splitlines()), "no message")
        raise ModelProblem(
            f"The sentence model {name!r} can not be loaded: {first}. Expected a folder with such a model, "
            "or a name that can be downloaded from here. Set model in encoder_options."
        ) from error
