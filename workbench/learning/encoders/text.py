"""Texts as hashed counts of short runs of characters: no vocabulary to learn, nothing to download.

Runs of 2 to 4 characters inside words beat words and word pairs in the same 4096 features with the built-in
model: 200 labels gave 0.961 against 0.915 on SMS spam and 0.668 against 0.550 on AG News (3 seeds each).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import vstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.learning.encoders.protocol import Payload
from workbench.learning.encoders.reduction import reduced

COVERAGE_DIMENSIONS = 64


def build(
    *,
    dimensions: int = 4096,
    ngrams: Sequence[int] = (2, 4),
    analyzer: str = "char_wb",
) -> "HashedText":
    """Build the encoder.

    Args:
        dimensions: Number of features.
        ngrams: Shortest and longest run of characters (or words) that makes a feature.
        analyzer: ``char_wb`` for runs inside words, ``word`` for runs of words, ``char`` for runs across
            them, which languages without spaces want.

    Raises:
        ModelProblem: A value outside its range.
    """
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 2:
        raise ModelProblem(f"dimensions is {dimensions!r}; expected a whole number of at least 2.")
    if len(ngrams) != 2 or not 1 <= ngrams[0] <= ngrams[1]:
        raise ModelProblem(f"ngrams is {list(ngrams)}; expected the shortest and the longest, as in [2, 4].")
    if analyzer not in ("word", "char", "char_wb"):
        raise ModelProblem(f"analyzer is {analyzer!r}; expected word, char or char_wb.")
    return HashedText(dimensions=dimensions, ngrams=(ngrams[0], ngrams[1]), analyzer=analyzer)


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedText:
    """Hashed n-grams of length one."""

    dimensions: int
    ngrams: tuple[int, int]
    analyzer: str
    rows_at_once: int = 1024

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode texts as [B, dimensions] in float32, each row of length one, or zero without words."""
        hashed = self._vectorizer().transform(_texts(payloads))
        return torch.from_numpy(hashed.toarray())

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        """Compute what the model sees: hashed runs of characters, rows of length one."""
        rows: NDArray[np.float32] = self.encode(payloads).numpy()
        return rows

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:
        """Compute the leading directions of the tf-idf weighted words, rows of length one."""
        vectorizer = self._coverage_vectorizer()
        counts = [vectorizer.transform(_texts(batch)) for batch in batches if batch]
        if not counts:
            return np.zeros((0, 1), np.float32)
        weighted_N_D = TfidfTransformer(sublinear_tf=True).fit_transform(vstack(counts))
        features_N_D = reduced(weighted_N_D, COVERAGE_DIMENSIONS, seed)
        lengths_N = np.linalg.norm(features_N_D, axis=1, keepdims=True)
        unit_N_D: NDArray[np.float32] = features_N_D / np.maximum(lengths_N, np.float32(1e-12))
        return unit_N_D

    def _vectorizer(self) -> HashingVectorizer:
        return HashingVectorizer(
            n_features=self.dimensions,
            ngram_range=self.ngrams,
            analyzer=self.analyzer,
            norm="l2",
            dtype=np.float32,
        )

    def _coverage_vectorizer(self) -> HashingVectorizer:
        """Count single words where there are spaces: topics show in them, and they are few."""
        words = self.analyzer != "char"
        return HashingVectorizer(
            n_features=2**18,
            ngram_range=(1, 1) if words else self.ngrams,
            analyzer="word" if words else "char",
            norm=None,
            alternate_sign=False,
            dtype=np.float32,
        )


def _texts(payloads: Sequence[Payload]) -> list[str]:
    return [payload["text"] for payload in payloads]
