"""Learning curves of several projects in one chart; seeds of one strategy as their mean."""

from collections.abc import Sequence

import numpy as np

from workbench.reports.chart import Axis, Chart, Line, Mark, Role
from workbench.reports.panels.contenders import Contender, Group
from workbench.reports.statistics.curves import Curve, interpolation
from workbench.reports.statistics.seeds import mean_interval
from workbench.reports.units import Unit
from workbench.reports.words import count, plain, short

LEVEL = 0.95
LONGEST = 40


def named(project: str) -> str:
    """A project's name as a sentence has it."""
    return f"“{short(plain(project), LONGEST)}”"


def charts_of(
    compared: Sequence[Contender],
    groups: Sequence[Group],
    curves: dict[int, Curve | None],
    said: str,
) -> tuple[Chart, ...]:
    """One chart, a line for each strategy and for each project that stands alone; none without curves."""
    inside = {one.project.id for group in groups for one in group.members}
    lines: list[Mark] = [_mean_line(group) for group in groups]
    for one in compared:
        curve = curves.get(one.project.id)
        if curve is not None and one.project.id not in inside:
            lines.append(_line(short(plain(one.project.name), LONGEST), curve, bands=len(compared) <= 4))
    if not lines:
        return ()
    return (
        Chart(
            name="comparison",
            title="Accuracy against labels",
            summary=said,
            x=Axis(title="labels", unit=Unit.COUNT),
            y=Axis(title="accuracy on held-out items", unit=Unit.SHARE),
            marks=tuple(lines),
            notes=("Bands of several seeds are for their mean.",) if groups else (),
        ),
    )


def _line(name: str, curve: Curve, *, bands: bool) -> Line:
    low_R = high_R = np.empty(0)
    if bands and len(curve.draws_B_R):
        low_R, high_R = np.quantile(curve.draws_B_R, [0.025, 0.975], axis=0)
    return Line(
        name=name,
        x=curve.labels_R.tolist(),
        y=curve.point_R.tolist(),
        low=low_R.tolist(),
        high=high_R.tolist(),
        role=Role.OTHER,
    )


def _mean_line(group: Group) -> Line:
    """The mean over seeds where all of them have labels."""
    low = max(curve.labels_R[0] for curve in group.curves)
    high = min(curve.labels_R[-1] for curve in group.curves)
    at_G = np.unique(np.concatenate([curve.labels_R for curve in group.curves]))
    at_G = at_G[(at_G >= low) & (at_G <= high)]
    values_S_G = np.stack([curve.point_R @ interpolation(curve.labels_R, at_G) for curve in group.curves])
    mean_G, low_G, high_G = mean_interval(values_S_G, LEVEL)
    return Line(
        name=f"{group.name}, {count(len(group.members), 'seed')}",
        x=at_G.tolist(),
        y=mean_G.tolist(),
        low=low_G.tolist(),
        high=high_G.tolist(),
        role=Role.OTHER,
    )
