"""Texts as hashed counts of words and word pairs: no vocabulary to learn, nothing to download."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.learning.encoders.protocol import Payload
from workbench.learning.encoders.reduction import reduced

COVERAGE_DIMENSIONS = 64


def build(
    *,
    dimensions: int = 4096,
    ngrams: Sequence[int] = (1, 2),
    analyzer: str = "word",
) -> "HashedText":
    """Build the encoder.

    Args:
        dimensions: Number of features.
        ngrams: Shortest and longest run of words (or characters) that makes a feature.
        analyzer: ``word``, or ``char_wb`` for languages that do not put spaces between words.

    Raises:
        ModelProblem: A value outside its range.
    """
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 2:
        raise ModelProblem(f"dimensions is {dimensions!r}; expected a whole number of at least 2.")
    if len(ngrams) != 2 or not 1 <= ngrams[0] <= ngrams[1]:
        raise ModelProblem(f"ngrams is {list(ngrams)}; expected the shortest and the longest, as in [1, 2].")
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
        hashed = self._vectorizer(self.dimensions, norm="l2").transform(_texts(payloads))
        return torch.from_numpy(hashed.toarray())

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:
        """Compute the leading directions of the tf-idf weighted words, rows of length one."""
        texts = itertools.chain.from_iterable(map(_texts, batches))
        counts = self._vectorizer(2**18, norm=None, alternate_sign=False).transform(texts)
        features_N_D = reduced(
            TfidfTransformer(sublinear_tf=True).fit_transform(counts), COVERAGE_DIMENSIONS, seed
        )
        lengths_N = np.linalg.norm(features_N_D, axis=1, keepdims=True)
        unit_N_D: NDArray[np.float32] = features_N_D / np.maximum(lengths_N, np.float32(1e-12))
        return unit_N_D

    def _vectorizer(self, dimensions: int, **options: Any) -> HashingVectorizer:
        return HashingVectorizer(
            n_features=dimensions,
            ngram_range=self.ngrams,
            analyzer=self.analyzer,
            dtype=np.float32,
            **options,
        )


def _texts(payloads: Sequence[Payload]) -> list[str]:
    return [payload["text"] for payload in payloads]
