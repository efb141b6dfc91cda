"""What every encoder does: payloads in, tensors out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Payload = Mapping[str, Any]


class Encoder(Protocol):
    """Turns payloads of one kind into what a model and what a coverage selector want to see.

    An encoder learns nothing: what has to be learnt from data lies in the model, and is saved with it.
    """

    @property
    def rows_at_once(self) -> int:
        """How many payloads may be encoded at once; bounds the memory of a stream."""

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode payloads as one tensor, the first dimension counts them.

        Raises:
            PoolProblem: A payload that can not be read.
            ModelProblem: A user's transform that fails or gives something else than tensors of one shape.
        """

    def plain(self, payloads: Sequence[Payload]) -> NDArray[Any]:
        """Compute features_N_D of payloads, each from its own alone: the same in every round.

        Raises:
            PoolProblem: A payload that can not be read.
        """

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:
        """Compute features_N_D in which near means alike, without any model; the same for the same seed."""
