"""The forecast's charts: the curve continued, earlier forecasts, and how the forecast itself has moved."""

from collections.abc import Sequence

import numpy as np

from workbench.reports.chart import Axis, Chart, Dots, Guide, Line, Role
from workbench.reports.kept_forecast import Tested
from workbench.reports.outlook import LEVEL, Outlook, Quantiles
from workbench.reports.statistics.forecast import Curves
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.diagnostics import Diagnostic

LABELS = "labels"
LEVEL_WORDS = in_words(LEVEL, Unit.SHARE, n=1)
#: Places at which the curve is drawn.
PLACES = 60
#: How far the chart looks ahead at least and at most, in times the labels so far.
NEAREST, FARTHEST = 1.5, 4.0


def curve_chart(outlook: Outlook, curves: Curves, needed: Quantiles | None) -> Chart:
    """The measured rounds, and the curves through them with their band."""
    points, target = outlook.measured, outlook.terms.target
    now, end = points[-1].labels, _end(outlook, needed)
    places = np.unique(np.append(np.geomspace(max(points[0].labels, 1), end, PLACES), now))
    band = curves.band(places, LEVEL)
    then = curves.band([end], LEVEL)
    words = interval(then.middle[0], then.low[0], then.high[0], Unit.SHARE)
    aim = f" The target is {in_words(target, Unit.SHARE)}." if target else ""
    return Chart(
        name="forecast",
        title="Where the accuracy is going",
        summary=f"{count(now, 'label')} have brought {in_words(points[-1].value, Unit.SHARE)}; "
        f"{in_words(round(end), Unit.COUNT)} are expected to bring {words}.{aim}",
        x=Axis(title=LABELS, unit=Unit.COUNT),
        y=Axis(title="accuracy", unit=Unit.SHARE),
        marks=(
            Line(
                name=f"expected, {LEVEL_WORDS} band",
                x=places.tolist(),
                y=band.middle.tolist(),
                low=band.low.tolist(),
                high=band.high.tolist(),
                role=Role.FORECAST,
                dashed=True,
                marked=False,
            ),
            Dots(
                name="measured, 95 % interval",
                x=[p.labels for p in points],
                y=[p.value or 0.0 for p in points],
                low=[p.low for p in points],
                high=[p.high for p in points],
                role=Role.ACTIVE,
            ),
        ),
        guides=_guides(target, needed, end),
    )


def _guides(target: float | None, needed: Quantiles | None, end: float) -> tuple[Guide, ...]:
    if target is None:
        return ()
    aim = Guide(words=f"target {in_words(target, Unit.SHARE)}", y=target)
    if needed is None or needed.p50 is None or needed.p50 > end:
        return (aim,)
    return (
        aim,
        Guide(words=f"likely at {count(round(needed.p50), 'label')}", x=needed.p50, role=Role.FORECAST),
    )


def _end(outlook: Outlook, needed: Quantiles | None) -> float:
    """As far as the target is likely to be reached, but never so far that what was measured is a corner."""
    now = outlook.measured[-1].labels
    known = [value for value in (needed or ()) if value is not None]
    wanted = 1.1 * max(known) if known else 2 * now
    return float(round(np.clip(wanted, NEAREST * now, max(NEAREST * now, min(outlook.most, FARTHEST * now)))))


def back_test_chart(tested: Sequence[Tested]) -> Chart | None:
    """What was expected one round ahead, and what came; None before there is any."""
    one = [found for found in tested if found.ahead == 1]
    if not one:
        return None
    inside = sum(found.inside for found in one)
    return Chart(
        name="forecast_backtest",
        title="What was expected one round ahead, and what came",
        summary=f"{inside} of {len(one)} measurements lie inside the band that the round before expected.",
        x=Axis(title=LABELS, unit=Unit.COUNT),
        y=Axis(title="accuracy", unit=Unit.SHARE),
        marks=(
            Line(
                name=f"expected, {LEVEL_WORDS} band",
                x=[found.labels for found in one],
                y=[found.expected for found in one],
                low=[found.low for found in one],
                high=[found.high for found in one],
                role=Role.FORECAST,
                dashed=True,
                marked=False,
            ),
            *_came(one),
        ),
    )


def _came(one: Sequence[Tested]) -> list[Dots]:
    """Those inside and those outside, told apart by name and colour."""
    sides = (("came, inside", Role.ACTIVE, True), ("came, outside", Role.BAD, False))
    chosen = [(name, role, [f for f in one if f.inside is inside]) for name, role, inside in sides]
    return [
        Dots(name=name, x=[f.labels for f in found], y=[f.measured for f in found], role=role)
        for name, role, found in chosen
        if found
    ]


def history_chart(kept: Sequence[Diagnostic], target: float | None) -> Chart | None:
    """How many labels were thought to be needed, round by round; None where fewer than two rounds said so."""
    rows = [
        (found.round_number, *aim["labels"])
        for found in kept
        if (aim := found.content.get("target")) and aim["accuracy"] == target and aim["labels"][1] is not None
    ]
    if len(rows) < 2:
        return None
    rounds, low, middle, high = (list(column) for column in zip(*rows, strict=True))
    return Chart(
        name="forecast_history",
        title="Labels until the target, as each round saw it",
        summary=f"Round {rounds[0]} expected {count(round(middle[0]), 'label')}, round {rounds[-1]} "
        f"{in_words(round(middle[-1]), Unit.COUNT)}.",
        x=Axis(title="round", unit=Unit.ROUND),
        y=Axis(title="labels until the target", unit=Unit.COUNT, low=0.0),
        marks=(
            Line(
                name="expected, tenth to last tenth",
                x=rounds,
                y=middle,
                low=low,
                high=high,
                role=Role.FORECAST,
            ),
        ),
    )
