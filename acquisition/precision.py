"""Posteriors computed in bfloat16: half the memory traffic, three decimal digits.

Matrix products and convolutions run in bfloat16 (``torch.autocast``), the probabilities made of their results
in float32. Scores move by about 1 %, so near ties change places. It pays on GPUs and on CPUs with products in
bfloat16; elsewhere it is slower.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.types import Draw, Posterior

PRECISIONS = ("float32", "bfloat16")


def in_precision(posterior: Posterior, precision: str) -> Posterior:
    """Returns a posterior that computes in another precision; itself for ``"float32"``.

    Args:
        posterior: Any posterior whose weights are in float32.
        precision: ``"float32"`` or ``"bfloat16"``.

    Raises:
        InvalidOption: No such precision. In float16 logits overflow, so it is none.
    """
    if precision not in PRECISIONS:
        raise InvalidOption(f"precision is {precision!r}; one of {', '.join(PRECISIONS)} is expected.")
    return posterior if precision == "float32" else Rounded(posterior)


class Rounded:
    """A posterior computed in bfloat16; made by ``in_precision``."""

    def __init__(self, posterior: Posterior) -> None:
        self._posterior = posterior

    def __getattr__(self, name: str) -> Any:
        """Everything else is the posterior's own."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._posterior, name)

    def features(self, inputs: Tensor) -> Tensor:
        """Computes the part that all samples share, in bfloat16."""
        with self._rounding():
            return self._posterior.features(inputs)

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes the outputs of T networks in bfloat16 and returns them in float32."""
        with self._rounding():
            return self._posterior.forward(draw, features).float()

    def to(self, device: torch.device | str) -> Rounded:
        """Returns this posterior on a device."""
        return Rounded(self._posterior.to(device))

    def _rounding(self) -> torch.autocast:
        return torch.autocast(self._posterior.device.type, dtype=torch.bfloat16)
