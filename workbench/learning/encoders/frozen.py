"""Encoders that never change: what they make of an item is kept on the disk and read there the next time."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.learning.encoders.protocol import Encoder, Payload
from workbench.learning.feature_cache import FeatureCache
from workbench.learning.feature_segments import key_of


class FrozenEncoder(Encoder, Protocol):
    """An encoder whose rows, [B, D] in float32, follow from its identity and the content of an item alone."""

    def identity(self) -> str:
        """Hash weights, preprocessing and options: all that decides a row."""

    def content(self, payload: Payload) -> bytes:
        """Return the bytes of an item that decide its row.

        Raises:
            PoolProblem: They can not be read.
        """


class Kept:
    """A frozen encoder that computes no row twice."""

    def __init__(self, encoder: FrozenEncoder, folder: Path) -> None:
        self._encoder, self._folder = encoder, folder

    @property
    def rows_at_once(self) -> int:
        """As the encoder's."""
        return self._encoder.rows_at_once

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode payloads, those that are new with the encoder; errors as there.

        Raises:
            ArtifactProblem: The new rows can not be kept.
        """
        if not payloads:
            return self._encoder.encode(payloads)
        keys = [key_of(self._encoder.content(payload)) for payload in payloads]
        known = {key: row for key, row in zip(keys, self._cache.find(keys), strict=True) if row is not None}
        missing = {key: p for key, p in zip(keys, payloads, strict=True) if key not in known}
        if missing:
            rows_B_D = self._encoder.encode(list(missing.values())).numpy()
            self._cache.add(list(missing), rows_B_D)
            known.update(zip(missing, rows_B_D, strict=True))
        return torch.from_numpy(np.stack([known[key] for key in keys]))

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        """Compute the embeddings themselves."""
        return embedded(self, [payloads])

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:  # noqa: ARG002 - nothing is drawn
        """Compute the embeddings themselves."""
        return embedded(self, batches)

    @cached_property
    def _cache(self) -> FeatureCache:
        return FeatureCache(self._folder / self._encoder.identity())


def embedded(encoder: Encoder, batches: Iterable[Sequence[Payload]]) -> NDArray[np.float32]:
    """Encode a stream, never more rows at once than the encoder wants."""
    rows = encoder.rows_at_once
    encoded = [encoder.encode(some).numpy() for batch in batches for some in _cut(batch, rows)]
    return np.concatenate(encoded or [np.empty((0, 1), np.float32)])


def identity_of(module: nn.Module, told: Mapping[str, Any]) -> str:
    """Hash the tensors of a network and what else decides its rows."""
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"\n{name} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def _cut(batch: Sequence[Payload], rows: int) -> Iterable[Sequence[Payload]]:
    return (
        batch[first : first + rows]
        for first in itertools.takewhile(len(batch).__gt__, itertools.count(0, rows))
    )
