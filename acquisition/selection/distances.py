"""Distances: the one home of squared distances between rows of features, in blocks of bounded memory.

|x − c|² = |x|² + |c|² − 2 xᵀc in float32, so that the work is one matrix product. Rows are centred first,
which changes no distance and keeps the difference from being lost where all rows lie far from zero. What is
left of rounding is about 1e-7 of |x|² + |c|²: two rows nearer than a thousandth of their norms count as
equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from acquisition.errors import InvalidInput

#: Numbers in one block of distances: 16 MiB.
BLOCK = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Rows with their squared norms."""

    rows_N_D: Tensor
    squares_N: Tensor

    def __len__(self) -> int:
        return len(self.rows_N_D)

    def __getitem__(self, index: Tensor | slice) -> Points:
        return Points(rows_N_D=self.rows_N_D[index], squares_N=self.squares_N[index])


def points_of(features_N_D: Tensor, labeled_M_D: Tensor | None = None) -> tuple[Points, Points]:
    """Returns candidates and labeled items as points around the candidates' mean; no label is zero points.

    Raises:
        InvalidInput: Numbers so large that their squares are no float32 numbers.
    """
    rows_N_D = flat(features_N_D)
    labeled = rows_N_D[:0] if labeled_M_D is None else flat(labeled_M_D).to(rows_N_D.device)
    middle_D = rows_N_D.mean(0)
    return _centred(rows_N_D, middle_D), _centred(labeled, middle_D)


def flat(features_N_D: Tensor) -> Tensor:
    """Returns features as one float32 row per item: those of a picture are laid out in a row."""
    return features_N_D.detach().flatten(1).float()


def _centred(rows_N_D: Tensor, middle_D: Tensor) -> Points:
    rows_N_D = rows_N_D - middle_D
    return Points(rows_N_D=rows_N_D, squares_N=refuse_overflow(rows_N_D))


def refuse_overflow(rows_N_D: Tensor) -> Tensor:
    """Computes the squared norms, or raises ``InvalidInput`` where one is no number any more."""
    squares_N = (rows_N_D * rows_N_D).sum(1)
    if not bool(squares_N.isfinite().all()):
        raise InvalidInput("The features are too large: their squares overflow float32. Scale them down.")
    return squares_N


def squared_distances(left: Points, right: Points) -> Tensor:
    """Computes all pairs at once, [left, right]; the caller keeps them few."""
    products = torch.addmm(right.squares_N, left.rows_N_D, right.rows_N_D.T, alpha=-2)
    return products.add_(left.squares_N[:, None]).clamp_min_(0)


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cuts rows so that a table of rows × columns stays below ``BLOCK`` numbers, at least one row each."""
    height = max(1, BLOCK // max(1, n_columns))
    for start in range(0, n_rows, height):
        yield slice(start, min(start + height, n_rows))


def nearest_squared(points: Points, others: Points) -> Tensor:
    """Computes each point's squared distance to the nearest of the others; infinity where there are none."""
    if not len(others):
        return torch.full_like(points.squares_N, torch.inf)
    rows = blocks(len(points), len(others))
    return torch.cat([squared_distances(points[block], others).amin(1) for block in rows])
