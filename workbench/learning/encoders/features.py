"""Rows of numbers, as they are; a layer in front of the model puts them on one scale.

The scale is learnt when the model is trained and saved with it, so that a model and its scale can never
come apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import PoolProblem
from workbench.learning.encoders.protocol import Payload


def build() -> "Features":
    """Build the encoder."""
    return Features()


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Numbers in float64: large ones keep their last digits until they are scaled."""

    rows_at_once: int = 4096

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode rows as [B, number of columns]."""
        return torch.from_numpy(_rows(payloads))

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float64]:
        """Return the rows as they are."""
        return _rows(payloads)

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:  # noqa: ARG002 - nothing is drawn
        """Compute the columns with mean 0 and deviation 1."""
        rows = [_rows(batch) for batch in batches if batch]
        if not rows:
            return np.zeros((0, 1), np.float32)
        values_N_D = torch.from_numpy(np.concatenate(rows))
        scaled: NDArray[np.float32] = Scale.of([values_N_D])(values_N_D).numpy()
        return scaled


class Scale(nn.Module):
    """Subtracts the mean and divides by the deviation of each column; held as buffers, not trained.

    A column that never changes becomes 0. Values beyond ``LIMIT`` deviations are cut there: one absurd
    value must not drown the others.
    """

    LIMIT = 10.0

    def __init__(self, mean_D: Tensor, deviation_D: Tensor) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", mean_D)
        self.register_buffer("deviation", deviation_D)

    @classmethod
    def blank(cls, input_shape: tuple[int, ...]) -> "Scale":
        """Make one whose numbers are to be loaded."""
        return cls(
            torch.zeros(input_shape, dtype=torch.float64), torch.ones(input_shape, dtype=torch.float64)
        )

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> "Scale":
        """Learn the scale of a stream in one pass (Chan et al. 1979); memory is one batch."""
        count, mean_D, squares_D = 0, torch.zeros(()), torch.zeros(())
        for batch in batches:
            n, batch_mean_D = len(batch), batch.mean(0)
            if n == 0:
                continue
            shift_D = batch_mean_D - mean_D
            squares_D = (
                squares_D + ((batch - batch_mean_D) ** 2).sum(0) + shift_D**2 * (count * n / (count + n))
            )
            mean_D = mean_D + shift_D * (n / (count + n))
            count += n
        deviation_D = (squares_D / max(count, 1)).sqrt()
        constant_D = deviation_D <= 1e-12 * mean_D.abs()
        return cls(mean_D, torch.where(constant_D, torch.inf, deviation_D))

    def forward(self, values: Tensor) -> Tensor:
        """Scale rows, in float64, and return float32."""
        scaled = (values - self.mean) / self.deviation
        return scaled.clamp(-self.LIMIT, self.LIMIT).float()


def _rows(payloads: Sequence[Payload]) -> NDArray[np.float64]:
    rows = [payload["features"] for payload in payloads]
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise PoolProblem(
            f"Found rows of {min(lengths)} and of {max(lengths)} numbers; expected as many in every item. "
            "Add all sources to the pool with the same feature columns."
        )
    return np.asarray(rows, np.float64)
