"""What a label costs in answers, in seconds and in days, with the spread that rounds have shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The newest rounds tell the pace.
ROUNDS = 10
#: How much a pace of one round is doubted, in its logarithm: rounds tell the rest.
DOUBT = 0.25
DAY = 86_400.0


class Spent(NamedTuple):
    """Totals when a round was closed."""

    labels: int
    annotations: int
    seconds: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pace:
    """D draws of what a label takes.

    Attributes:
        annotations_D: Answers for a label.
        seconds_D: Seconds of people for a label.
        days_D: Days between two labels, waiting included; None where it was never seen.
    """

    annotations_D: Floats
    seconds_D: Floats
    days_D: Floats | None


def pace_of(spent: Sequence[Spent], start: datetime | None, draws: int, seed: int) -> Pace | None:
    """Draw paces from the newest rounds, weighted at random (Rubin 1981, the Bayesian bootstrap).

    Args:
        spent: Of each closed round, oldest first.
        start: When the first round was begun.
        draws: How many.
        seed: Of the draws.

    Returns:
        None while there is no label. https://doi.org/10.1214/aos/1176345338
    """
    steps_R_4 = _steps(spent, start)
    if not len(steps_R_4) or steps_R_4[:, 0].sum() <= 0:
        return None
    rng = np.random.default_rng(seed)
    weights_D_R = rng.standard_exponential((draws, len(steps_R_4)))
    sums_D_4 = weights_D_R @ steps_R_4
    labels_D = np.maximum(sums_D_4[:, 0], 1e-9)
    doubt_D_2 = np.exp(DOUBT / np.sqrt(len(steps_R_4)) * rng.standard_normal((draws, 2)))
    days_D = sums_D_4[:, 3] / labels_D * doubt_D_2[:, 1]
    return Pace(
        annotations_D=sums_D_4[:, 1] / labels_D,
        seconds_D=sums_D_4[:, 2] / labels_D * doubt_D_2[:, 0],
        days_D=days_D if steps_R_4[:, 3].sum() > 0 else None,
    )


def _steps(spent: Sequence[Spent], start: datetime | None) -> Floats:
    """What each of the newest rounds took; those without a new label join the next one."""
    if not spent:
        return np.empty((0, 4))
    before = Spent(0, 0, 0.0, start or spent[0].at)
    rows = []
    for now in spent:
        if now.labels > before.labels:
            days = max((now.at - before.at).total_seconds(), 0.0) / DAY
            rows.append(
                (
                    now.labels - before.labels,
                    now.annotations - before.annotations,
                    now.seconds - before.seconds,
                    days,
                )
            )
            before = now
    return np.array(rows[-ROUNDS:], dtype=np.float64).reshape(-1, 4)
