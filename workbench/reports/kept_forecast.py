"""A forecast as a round leaves it behind, and what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.domain.records import BudgetPoint
from workbench.reports.outlook import LEVEL, Outlook, quantiles_of
from workbench.reports.statistics.forecast import band_of
from workbench.storage.facts.diagnostics import Diagnostic

#: The name of the diagnostic.
FORECAST = "forecast"
#: How many batches ahead an accuracy is foretold.
BATCHES = (0, 1, 2, 3, 5, 8, 12, 20)
#: Earlier forecasts are held against what came so many rounds later.
AHEAD = (1, 5)
DIGITS = 6


def content_of(outlook: Outlook) -> dict[str, Any]:
    """What is kept: where the curve was thought to go, and when the target to be reached."""
    point = outlook.newest
    if point is None or outlook.curves is None:
        return {"labels": point.labels if point else 0, "measured": len(outlook.measured)}
    return {
        "labels": point.labels,
        "measured": len(outlook.measured),
        "level": LEVEL,
        "scatter": round(outlook.curves.scatter, DIGITS),
        "families": {name: round(share, 3) for name, share in outlook.curves.families().items()},
        "next": _next(outlook, point),
        "gain": _gain(outlook, point),
        "target": _target(outlook),
    }


def _next(outlook: Outlook, point: BudgetPoint) -> dict[str, list[float]]:
    assert outlook.curves is not None
    labels = [float(point.labels + batches * outlook.batch) for batches in BATCHES]
    band = band_of(outlook.curves.measured_at(labels), LEVEL)
    found = {"low": band.low, "expected": band.middle, "high": band.high}
    return {"labels": labels, **{name: _rounded(values) for name, values in found.items()}}


def _gain(outlook: Outlook, point: BudgetPoint) -> dict[str, float | None]:
    """What the next batch was thought to bring, and to cost."""
    assert outlook.curves is not None
    now_and_then = outlook.curves.at([point.labels, point.labels + outlook.batch])
    low, expected, high = band_of(now_and_then[:, 1] - now_and_then[:, 0], LEVEL)
    taken = outlook.taken(outlook.batch)
    cost = float(np.median(taken.cost_D)) if taken else None
    found: dict[str, Any] = {
        "labels": outlook.batch,
        "low": low,
        "expected": expected,
        "high": high,
        "cost": cost,
    }
    return {name: None if value is None else round(float(value), DIGITS) for name, value in found.items()}


def _target(outlook: Outlook) -> dict[str, Any] | None:
    target = outlook.terms.target
    more_D = None if target is None else outlook.more_until(target)
    if more_D is None or outlook.newest is None:
        return None
    found: dict[str, Any] = {"accuracy": target, "chance": round(float(np.isfinite(more_D).mean()), 3)}
    found["labels"] = quantiles_of(outlook.newest.labels + more_D)
    taken = outlook.taken(more_D)
    if taken is not None:
        found["cost"] = _rounded_or_none(quantiles_of(outlook.newest.cost + taken.cost_D))
        found["seconds"] = _rounded_or_none(quantiles_of(outlook.newest.seconds + taken.seconds_D))
    if taken is not None and taken.days_D is not None:
        days = quantiles_of(taken.days_D)
        dates = [None if d is None else outlook.day(d) for d in days]
        found["dates"] = [None if day is None else day.isoformat() for day in dates]
    return found


def _rounded(values: Any) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def _rounded_or_none(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 2) for value in values]


class Tested(NamedTuple):
    """An earlier forecast, and what was measured when it came true or did not."""

    made_in: int
    round_number: int
    ahead: int
    labels: int
    expected: float
    low: float
    high: float
    measured: float

    @property
    def error(self) -> float:
        """Measured minus expected."""
        return self.measured - self.expected

    @property
    def inside(self) -> bool:
        """Whether the band held it."""
        return self.low <= self.measured <= self.high


def back_test(kept: Sequence[Diagnostic], points: Sequence[BudgetPoint]) -> list[Tested]:
    """Hold every kept forecast against the measurements one and five rounds later."""
    measured = [point for point in points if point.value is not None]
    places = {point.round_number: place for place, point in enumerate(measured)}
    contents = {found.round_number: found.content for found in kept}
    tested = [
        _tested(contents[number], number, measured, place + ahead, ahead)
        for ahead in AHEAD
        for number, place in places.items()
        if number in contents and place + ahead < len(measured)
    ]
    return [found for found in tested if found is not None]


def _tested(
    content: Mapping[str, Any], made_in: int, measured: Sequence[BudgetPoint], place: int, ahead: int
) -> Tested | None:
    """Read the forecast between the label counts that it was made for; None beyond them."""
    foretold, came = content.get("next"), measured[place]
    if not foretold or not foretold["labels"][0] <= came.labels <= foretold["labels"][-1]:
        return None
    expected, low, high = (
        float(np.interp(came.labels, foretold["labels"], foretold[name]))
        for name in ("expected", "low", "high")
    )
    assert came.value is not None
    return Tested(made_in, came.round_number, ahead, came.labels, expected, low, high, came.value)
