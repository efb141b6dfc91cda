"""A chart as plotly draws it: plain dictionaries, colours by name so that the page's theme gives them.

Texts of others are escaped: plotly reads a little HTML in every word it writes.
"""

from collections.abc import Sequence
from math import log10
from typing import Any, Final

from workbench.reports.axes import Scale, x_values, y_values
from workbench.reports.chart import Axis, Bars, Chart, Dots, Grid, Guide, Line
from workbench.reports.palette import GREY, LOOKS, Look, looks_of
from workbench.reports.units import Unit
from workbench.reports.words import interval, plain, short
from workbench.web.plot_values import apart, at, safe, scale_for, scaled

SYMBOLS: Final = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
}
#: How plotly writes ticks, by unit (d3's words for it).
FORMATS: Final = {
    Unit.SHARE: ",.2~%",
    Unit.COUNT: ",.0f",
    Unit.ROUND: ",.0f",
    Unit.POINTS: "+,.2~f",
}
WHOLE: Final = (Unit.COUNT, Unit.ROUND)
NOT_NEGATIVE: Final = (Unit.COUNT, Unit.ROUND, Unit.MONEY, Unit.SECONDS, Unit.SHARE)
HEIGHT, ROW = 340, 26
LONGEST, FEW = 34, 12
#: The background of a band, out of 100.
FAINT = 18
#: A thousand is 1 000 everywhere in the product.
SEPARATORS = ".\N{NARROW NO-BREAK SPACE}"


def plot(chart: Chart, currency: str = "") -> dict[str, Any] | None:
    """Data and layout for plotly; None for what its basic edition can not draw."""
    if any(isinstance(mark, Grid) for mark in chart.marks):
        return None
    return _Plot(chart, currency).figure()


class _Plot:
    """A chart on its way to plotly."""

    def __init__(self, chart: Chart, currency: str) -> None:
        self._chart = chart
        self._currency = currency
        self._bars = [mark for mark in chart.marks if isinstance(mark, Bars)]
        self._names = [short(plain(name), LONGEST) for name in self._bars[0].labels] if self._bars else []
        self._lying = bool(self._bars) and (
            chart.across or len(self._names) > FEW or max(map(len, self._names), default=0) > FEW
        )
        self._x = scale_for(chart.x, x_values(chart), currency)
        self._y = scale_for(chart.y, y_values(chart), currency)

    def figure(self) -> dict[str, Any]:
        traces: list[dict[str, Any]] = []
        for mark, look in zip(self._chart.marks, looks_of(self._chart), strict=True):
            if isinstance(mark, Line):
                traces += self._line(mark, look)
            elif isinstance(mark, Bars):
                traces.append(self._bar(mark, look))
            elif isinstance(mark, Dots):
                traces.append(self._dots(mark, look))
        named = {trace["name"] for trace in traces if trace.get("showlegend", True)}
        return {"data": traces, "layout": {**self._layout(), "showlegend": len(named) > 1}}

    def _line(self, line: Line, look: Look) -> list[dict[str, Any]]:
        x, group = self._along(line.x), {"legendgroup": safe(line.name)}
        band = self._band(line, look, group)
        return [
            *band,
            {
                "type": "scatter",
                "mode": "lines+markers" if line.marked else "lines",
                "name": safe(line.name),
                "x": x,
                "y": scaled(line.y, self._y),
                "line": {
                    "color": f"@{look.ink.name}",
                    "width": 2,
                    "dash": "dash" if line.dashed else "solid",
                },
                "marker": {"symbol": SYMBOLS[look.marker], "size": 6 if len(line.x) < 60 else 4},
                "hovertext": [
                    self._words(line.name, line.x[i], line.y[i], at(line.low, i), at(line.high, i))
                    for i in range(len(line.x))
                ],
                "hoverinfo": "text",
                **group,
            },
        ]

    def _band(self, line: Line, look: Look, group: dict[str, str]) -> list[dict[str, Any]]:
        known = [
            (x, low, high)
            for x, low, high in zip(self._along(line.x), line.low, line.high, strict=False)
            if low is not None and high is not None
        ]
        if not known:
            return []
        # One round has no width to fill: its interval is a line.
        width = 2 if len(known) == 1 else 0
        quiet = {
            "type": "scatter",
            "mode": "lines",
            "name": safe(line.name),
            "x": [x for x, _, _ in known],
            "line": {"width": width, "color": f"@{look.ink.name}"},
            "hoverinfo": "skip",
            "showlegend": False,
            **group,
        }
        lows = [low / self._y.divisor for _, low, _ in known]
        highs = [high / self._y.divisor for _, _, high in known]
        if width:
            return [{**quiet, "x": [known[0][0]] * 2, "y": [*lows, *highs]}]
        fill = {"fill": "tonexty", "fillcolor": f"@{look.ink.name}/{FAINT}"}
        return [{**quiet, "y": lows}, {**quiet, "y": highs, **fill}]

    def _bar(self, bars: Bars, look: Look) -> dict[str, Any]:
        places, values = list(range(len(bars.labels))), scaled(bars.values, self._y)
        along, up = ("y", "x") if self._lying else ("x", "y")
        words = [
            f"{safe(label)}<br>{self._value(bars.values[i], at(bars.low, i), at(bars.high, i))}"
            for i, label in enumerate(bars.labels)
        ]
        trace: dict[str, Any] = {
            "type": "bar",
            "orientation": "h" if self._lying else "v",
            "name": safe(bars.name),
            along: places,
            up: values,
            "marker": {"color": f"@{look.ink.name}"},
            "hovertext": words,
            "hoverinfo": "text",
            "textposition": "none",
        }
        if bars.low and bars.high:
            trace[f"error_{up}"] = self._whiskers(bars.values, bars.low, bars.high)
        return trace

    def _dots(self, dots: Dots, look: Look) -> dict[str, Any]:
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "name": safe(dots.name),
            "x": self._along(dots.x),
            "y": scaled(dots.y, self._y),
            "marker": {
                "color": f"@{look.ink.name}",
                "symbol": SYMBOLS[look.marker],
                "size": max(4.0, dots.size * 1.4),
                "opacity": 0.55 if len(dots.x) > 200 else 0.9,
            },
            "hovertext": [safe(word) for word in dots.words]
            or [
                self._words(dots.name, dots.x[i], dots.y[i], at(dots.low, i), at(dots.high, i))
                for i in range(len(dots.x))
            ],
            "hoverinfo": "text",
        }
        if dots.low and dots.high:
            trace["error_y"] = self._whiskers(dots.y, dots.low, dots.high)
        return trace

    def _whiskers(
        self, values: Sequence[float | None], low: Sequence[float | None], high: Sequence[float | None]
    ) -> dict[str, Any]:
        above = [apart(h, v, self._y) for v, h in zip(values, high, strict=True)]
        below = [apart(v, w, self._y) for v, w in zip(values, low, strict=True)]
        look = {"color": "@text", "thickness": 1.2, "width": 3}
        return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, **look}

    def _along(self, values: Sequence[float]) -> list[float]:
        # Times are seconds since 1970; plotly counts milliseconds.
        factor = 1000.0 if self._chart.x.unit is Unit.TIME else 1.0 / self._x.divisor
        return [value * factor for value in values]

    def _words(self, name: str, x: float, y: float | None, low: float | None, high: float | None) -> str:
        here = self._value(x, None, None, self._chart.x)
        # No bold: plotly writes it as a style of the element, which the pages' policy forbids.
        return f"{safe(name)}<br>{safe(self._chart.x.title)} {here}<br>{self._value(y, low, high)}"

    def _value(
        self, value: float | None, low: float | None, high: float | None, axis: Axis | None = None
    ) -> str:
        meant = axis or self._chart.y
        if meant.unit is Unit.TIME:
            return ""
        return safe(interval(value, low, high, meant.unit, currency=self._currency))

    def _layout(self) -> dict[str, Any]:
        x = self._axis(self._chart.x, self._x, x_values(self._chart))
        y = self._axis(self._chart.y, self._y, y_values(self._chart))
        names = {"tickvals": list(range(len(self._names))), "ticktext": [safe(name) for name in self._names]}
        if self._lying:
            x, y = y, {**self._plain_axis(""), **names, "autorange": "reversed", "automargin": True}
        elif self._bars:
            x = {**self._plain_axis(self._x.title), **names, "showgrid": False}
        else:
            x["showgrid"] = False
        rows = round(len(self._names) * (0.6 + 0.4 * max(1, len(self._bars)))) if self._lying else 0
        return {
            "xaxis": x,
            "yaxis": y,
            "height": max(HEIGHT, 110 + rows * ROW) if rows > FEW else HEIGHT,
            "separators": SEPARATORS,
            "barmode": "group",
            "bargap": 0.3,
            "shapes": [self._shape(guide) for guide in self._chart.guides],
            "annotations": [self._note(guide) for guide in self._chart.guides],
        }

    def _axis(self, axis: Axis, scale: Scale, values: Sequence[float]) -> dict[str, Any]:
        found = self._plain_axis(scale.title)
        if axis.unit is Unit.TIME:
            return {**found, "type": "date"}
        low = None if axis.low is None else axis.low / scale.divisor
        high = None if axis.high is None else axis.high / scale.divisor
        if axis.log:
            found["type"] = "log"
        elif low is not None or high is not None:
            found["range"] = [low, high]
        if axis.unit in NOT_NEGATIVE and not axis.log:
            most = {"clipmax": 1.0} if axis.unit is Unit.SHARE else {}
            found["autorangeoptions"] = {"clipmin": 0.0, **most}
        if axis.unit in FORMATS:
            found["tickformat"] = FORMATS[axis.unit]
        if axis.unit is Unit.POINTS:
            found |= {"ticksuffix": " pp", "labelalias": {"+0 pp": "0 pp"}}
        if axis.unit in WHOLE and not axis.log and values and max(values) - min(values) <= FEW:
            # Ticks between whole numbers would be rounded: the same round would stand there twice.
            found |= {"tick0": 0, "dtick": 1}
        return found

    def _plain_axis(self, title: str) -> dict[str, Any]:
        return {
            "title": {"text": safe(title)},
            "automargin": True,
            "zeroline": False,
            "separatethousands": True,
        }

    def _shape(self, guide: Guide) -> dict[str, Any]:
        place = self._place(guide)
        line = {"color": self._ink(guide), "width": 1.2, "dash": "dot"}
        if "x" in place:
            return {
                "type": "line",
                "yref": "paper",
                "x0": place["x"],
                "x1": place["x"],
                "y0": 0,
                "y1": 1,
                "line": line,
            }
        return {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": place["y"],
            "y1": place["y"],
            "line": line,
        }

    def _note(self, guide: Guide) -> dict[str, Any]:
        axis = self._chart.y if guide.x is None else self._chart.x
        # On a logarithmic axis plotly wants lines at the value and words at its logarithm.
        place = {
            way: log10(value) if axis.log and value > 0 else value
            for way, value in self._place(guide).items()
        }
        note = {
            "text": safe(guide.words),
            "showarrow": False,
            "font": {"color": self._ink(guide), "size": 11},
        }
        if "x" in place:
            return {**note, "yref": "paper", "x": place["x"], "y": 1, "yanchor": "bottom"}
        return {**note, "xref": "paper", "x": 1, "y": place["y"], "xanchor": "right", "yanchor": "bottom"}

    def _place(self, guide: Guide) -> dict[str, float]:
        """Where a guide lies in the drawn picture: lying bars have their values across."""
        if guide.x is not None:
            return {"x": self._along([guide.x])[0]}
        value = (guide.y or 0.0) / self._y.divisor
        return {"x": value} if self._lying else {"y": value}

    def _ink(self, guide: Guide) -> str:
        return f"@{(LOOKS[guide.role].ink if guide.role in LOOKS else GREY).name}"
