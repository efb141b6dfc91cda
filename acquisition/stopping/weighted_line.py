"""A weighted straight line with the covariance of its two numbers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Line(NamedTuple):
    """The line y = level + slope · x, or one for each row of x.

    Attributes:
        level: At x = 0.
        slope: By least squares.
        slope_error: Standard error of the slope, where the given errors are right.
        chi_squared: Σ (residual / error)².
    """

    level: Tensor
    slope: Tensor
    slope_error: Tensor
    chi_squared: Tensor


def weighted_line(x_R: Tensor, y_R: Tensor, errors_R: Tensor) -> Line:
    """Fits a line to at least two different x, [R] or [..., R]; sums are around the weighted mean."""
    weights_R = errors_R.double() ** -2
    total = weights_R.sum()
    middle, height = (weights_R * x_R).sum(-1, keepdim=True) / total, (weights_R * y_R).sum() / total
    from_middle_R = x_R - middle
    spread = (weights_R * from_middle_R**2).sum(-1)
    slope = (weights_R * from_middle_R * (y_R - height)).sum(-1) / spread
    residuals_R = y_R - height - slope.unsqueeze(-1) * from_middle_R
    return Line(
        level=height - slope * middle.squeeze(-1),
        slope=slope,
        slope_error=spread**-0.5,
        chi_squared=(weights_R * residuals_R**2).sum(-1),
    )


class Measured(NamedTuple):
    """Estimates of a metric with their numbers of labels.

    Attributes:
        labels_R: Labels, at least one.
        values_R: Estimates.
        errors_R: Standard errors; None where one of the rounds has none.
    """

    labels_R: Tensor
    values_R: Tensor
    errors_R: Tensor | None


def measured(rounds: list[tuple[int, float, float | None]]) -> Measured:
    """Puts (labels, estimate, standard error) of rounds into tensors."""
    labels, values, errors = zip(*rounds, strict=True)
    known = [error for error in errors if error]
    return Measured(
        torch.tensor(labels, dtype=torch.float64),
        torch.tensor(values, dtype=torch.float64),
        torch.tensor(known, dtype=torch.float64) if len(known) == len(errors) else None,
    )
