"""Values and words on their way into a plot."""

import html
from collections.abc import Sequence

from workbench.reports.axes import Scale, scale_of
from workbench.reports.chart import Axis
from workbench.reports.units import Unit
from workbench.reports.words import plain


def safe(text: str) -> str:
    """Words of anybody, as plotly may write them."""
    return html.escape(plain(text), quote=False)


def scale_for(axis: Axis, values: Sequence[float], currency: str) -> Scale:
    """As in drawings; but plotly has no sign for percentage points, so they are counted in hundreds."""
    found = scale_of(axis, values, currency)
    return found._replace(divisor=0.01) if axis.unit is Unit.POINTS else found


def at(values: Sequence[float | None], place: int) -> float | None:
    """A value that may not be there."""
    return values[place] if place < len(values) else None


def scaled(values: Sequence[float | None], scale: Scale) -> list[float | None]:
    """Values as they are drawn."""
    return [None if value is None else value / scale.divisor for value in values]


def apart(more: float | None, less: float | None, scale: Scale) -> float:
    """How far an end of an interval is from its value, as drawn."""
    return 0.0 if more is None or less is None else max(0.0, (more - less) / scale.divisor)
