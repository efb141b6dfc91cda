"""What a model said of every held-out item, as arrays: any statistic can be made from them later."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.storage.arrays import damaged, pack_arrays, unpack_arrays

WHAT = "Predictions of held-out items"
KINDS = {
    "items_N": np.int64,
    "target_N": np.int16,
    "predicted_N": np.int16,
    "confidence_N": np.float32,
    "true_probability_N": np.float32,
    "squared_error_N": np.float32,
    "entropy_N": np.float32,
    "mutual_information_N": np.float32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions of N held-out items, by the mean over the posterior's samples.

    Attributes:
        items_N: Ids of the items, ascending.
        target_N: Numbers of the true classes, in the order of the project's classes.
        predicted_N: Numbers of the likeliest classes.
        confidence_N: Probabilities of the likeliest classes.
        true_probability_N: Probabilities of the true classes.
        squared_error_N: Σ_c (p_c − 1[c is true])²: Brier's score of each item.
        entropy_N: Of the predictive distribution, in nats.
        mutual_information_N: Between the label and the model, in nats: BALD.
    """

    items_N: NDArray[Any]
    target_N: NDArray[Any]
    predicted_N: NDArray[Any]
    confidence_N: NDArray[Any]
    true_probability_N: NDArray[Any]
    squared_error_N: NDArray[Any]
    entropy_N: NDArray[Any]
    mutual_information_N: NDArray[Any]

    def __len__(self) -> int:
        return len(self.items_N)

    @property
    def right_N(self) -> NDArray[np.bool_]:
        """Whether the likeliest class is the true one."""
        right: NDArray[np.bool_] = self.predicted_N == self.target_N
        return right

    @property
    def items_sha256(self) -> str:
        """The same for the same items: only such sets can be compared item by item."""
        return same_items(self.items_N)


def same_items(ids: Iterable[int]) -> str:
    """A hash of items in any order: the same for the same items."""
    return hashlib.sha256(np.sort(np.fromiter(ids, np.int64)).tobytes()).hexdigest()


def pack(predictions: Predictions) -> bytes:
    """Write predictions as one compressed block of bytes; the same predictions give the same bytes."""
    return pack_arrays(
        {f.name: np.asarray(getattr(predictions, f.name), KINDS[f.name]) for f in fields(predictions)}
    )


def unpack(content: bytes) -> Predictions:
    """Read what ``pack`` wrote.

    Raises:
        ArtifactProblem: It is damaged.
    """
    found = unpack_arrays(content, KINDS, WHAT)
    if len({array.shape for array in found.values()}) > 1:
        raise damaged(WHAT)
    return Predictions(**found)


def pack_right(right_N: NDArray[np.bool_]) -> bytes:
    """One bit an item: whether it was predicted rightly."""
    return np.packbits(right_N).tobytes()


def unpack_right(content: bytes, n: int) -> NDArray[np.bool_]:
    """Read what ``pack_right`` wrote of ``n`` items.

    Raises:
        ArtifactProblem: It is of another number of items.
    """
    if len(content) != (n + 7) // 8:
        raise damaged(WHAT)
    return np.unpackbits(np.frombuffer(content, np.uint8), count=n).astype(bool)
