"""Rows of the coverage panel."""

from dataclasses import dataclass

from workbench.reports.units import Count, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One class: its labels, and how well the newest model finds it among ``n`` held-out items."""

    label: str
    labels: Count
    share: Share | None
    pool_share: Share | None
    n: Count
    recall: Share | None
    recall_low: Share | None
    recall_high: Share | None
    precision: Share | None
    precision_low: Share | None
    precision_high: Share | None
    f1: Share | None
    f1_low: Share | None
    f1_high: Share | None
    below_floor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source of items, and how right the newest model is on its ``n`` held-out items."""

    source: str
    items: Count
    items_share: Share
    labels: Count
    labels_share: Share | None
    n: Count
    accuracy: Share | None
    low: Share | None
    high: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRow:
    """One region of the map of the pool; an end that is missing is that of the map."""

    x_from: float | None
    x_to: float | None
    y_from: float | None
    y_to: float | None
    pool_share: Share
    labels: Count
    labels_share: Share | None
