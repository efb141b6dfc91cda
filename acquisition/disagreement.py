"""Sampling that does nothing is found: a score of zero everywhere would rank a pool by its row numbers."""

from __future__ import annotations

from typing import NoReturn

from torch import Tensor

from acquisition.errors import NotStochastic
from acquisition.predictions import Outputs
from acquisition.types import Draw


def refuse_one_sample(function: str, draw: Draw) -> None:
    """Raises ``NotStochastic`` where there is nobody to disagree with."""
    if len(draw) < 2:
        refuse_one_network(function)


def refuse_one_network(function: str) -> NoReturn:
    """Raises ``NotStochastic`` for a function of disagreement."""
    raise NotStochastic(
        f"{function!r} measures how networks disagree, and this is one network. Take n_samples=2 or more "
        'of a posterior that has them, or a function of one network: "margin" or "predictive_entropy".'
    )


class Disagreement:
    """Watches a stream of predictions for a single difference between samples."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._seen = 0
        self._found = False

    def look(self, outputs: Outputs) -> None:
        """Compares the samples of a chunk, as long as no difference was seen."""
        if self._found:
            return
        tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        self._seen += tensors[0].shape[1]
        self._found = any(bool((tensor != tensor[:1]).any()) for tensor in tensors)

    def conclude(self) -> None:
        """Raises ``NotStochastic`` where all samples were equal for all items."""
        if self._seen and not self._found:
            raise NotStochastic(
                f"All samples of the posterior are equal for all {self._seen} items, so {self._function!r} "
                "is zero everywhere: the sampling does nothing. Look for dropout that is never called, "
                "members that are copies of each other, or a posterior of zero width."
            )
