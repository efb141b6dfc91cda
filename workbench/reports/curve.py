"""The budget curve as a data frame."""

from collections.abc import Sequence
from typing import TypeAlias

import pandas as pd

from workbench.domain.records import BudgetPoint

Frame: TypeAlias = pd.DataFrame
COLUMNS = ["round", "labels", "annotations", "seconds", "cost", "metric", "value", "low", "high"]


def curve_frame(points: Sequence[BudgetPoint]) -> Frame:
    """One row a round and metric; totals since the beginning, 95 % intervals."""
    rows = [
        (p.round_number, p.labels, p.annotations, p.seconds, p.cost, p.metric, p.value, p.low, p.high)
        for p in points
    ]
    frame: Frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame
