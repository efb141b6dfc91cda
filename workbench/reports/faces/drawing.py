"""What a chart looks like: the one place where matplotlib draws. One style for all panels."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from workbench.reports.axes import Scale, nice_step, scale_of, ticks_of, x_values, y_values
from workbench.reports.chart import Axis, Bars, Chart, Grid, Guide
from workbench.reports.faces.marks import SMALL, Frame, draw_mark
from workbench.reports.palette import LOOKS, RULE, SOFT, TEXT, looks_of
from workbench.reports.units import Unit
from workbench.reports.words import plain, short

#: Of a picture, in points; what scales is the picture as a whole.
WIDTH: Final = 520.0
HEIGHT: Final = 250.0
ROW: Final = 17.0
SIZE: Final = 9.0
LETTER: Final = 5.3
LONGEST: Final = 30


class Drawing:
    """A chart on its way to a picture."""

    def __init__(self, chart: Chart, currency: str) -> None:
        self._chart = chart
        self._looks = looks_of(chart)
        self._bars = [mark for mark in chart.marks if isinstance(mark, Bars)]
        self._grid = next((mark for mark in chart.marks if isinstance(mark, Grid)), None)
        self._names = [short(plain(name), LONGEST) for name in self._bars[0].labels] if self._bars else []
        self._every = _thinning(self._names)
        ordered = all(name[:1].isdigit() for name in self._names)
        self._lying = bool(self._bars) and (chart.across or (self._every > 1 and not ordered))
        self._x = scale_of(chart.x, x_values(chart), currency)
        self._y = scale_of(chart.y, y_values(chart), currency)

    def figure(self) -> Any:
        """Draw everything."""
        from matplotlib.figure import Figure

        height = self._height()
        self._figure = Figure(figsize=(WIDTH / 72, height / 72))
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._style()
        frame = Frame(self._x, self._y, self._lying, tuple(self._bars))
        for mark, look in zip(self._chart.marks, self._looks, strict=True):
            draw_mark(self._axes, mark, look, frame)
        self._guides()
        self._scales()
        top = self._legend(height)
        self._place(height, top)
        return self._figure

    def _height(self) -> float:
        rows = len(self._grid.rows) if self._grid else len(self._names) if self._lying else 0
        bars = max(1, len(self._bars))
        return max(HEIGHT if not rows else 110.0, 70.0 + rows * (ROW if self._grid else 6.0 + 11.0 * bars))

    def _style(self) -> None:
        axes = self._axes
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set(color=SOFT.light, linewidth=0.8)
        axes.tick_params(length=0, pad=5, labelsize=SIZE, labelcolor=SOFT.light)
        if not self._grid:
            axes.grid(color=RULE.light, linewidth=0.8, axis="x" if self._lying else "y")
        axes.set_xlabel(self._x.title, fontsize=SIZE, color=TEXT.light, labelpad=6)

    def _guides(self) -> None:
        level = [guide for guide in self._chart.guides if guide.x is None]
        for place, guide in enumerate(sorted(level, key=lambda guide: guide.y or 0.0)):
            # Of two that lie close, the lower one has its words below.
            self._guide(guide, below=len(level) > 1 and place == 0)
        for guide in self._chart.guides:
            if guide.x is not None:
                self._guide(guide, below=False)

    def _guide(self, guide: Guide, *, below: bool) -> None:
        axes, ink = self._axes, LOOKS[guide.role].ink if guide.role in LOOKS else SOFT
        line: dict[str, Any] = {"color": ink.light, "linewidth": 1.1, "linestyle": (0, (2, 2)), "zorder": 2.5}
        words: dict[str, Any] = {"color": ink.light, "fontsize": SMALL, "zorder": 5}
        if guide.x is not None or self._lying:
            value = guide.x / self._x.divisor if guide.x is not None else (guide.y or 0.0) / self._y.divisor
            axes.axvline(value, **line)
            way: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "va": "bottom", "ha": "center"}
            axes.text(value, 1.01, short(plain(guide.words), LONGEST), **way, **words)
            return
        value = (guide.y or 0.0) / self._y.divisor
        axes.axhline(value, **line)
        way = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "top" if below else "bottom"}
        axes.text(1.0, value, short(plain(guide.words), LONGEST), **way, **words)

    def _scales(self) -> None:
        if self._grid:
            self._named(self._axes.xaxis, self._grid.columns)
            self._named(self._axes.yaxis, self._grid.rows)
            return
        if self._bars:
            named = self._axes.yaxis if self._lying else self._axes.xaxis
            every = 1 if self._lying else self._every
            self._named(named, [name if i % every == 0 else "" for i, name in enumerate(self._names)])
            if self._lying:
                self._axes.set_ylim(len(self._names) - 0.4, -0.6)
                self._axes.set_xlabel(self._y.title, fontsize=SIZE, color=TEXT.light, labelpad=6)
            self._measure(self._axes.xaxis if self._lying else self._axes.yaxis, self._chart.y, self._y)
            return
        self._measure(self._axes.xaxis, self._chart.x, self._x)
        self._measure(self._axes.yaxis, self._chart.y, self._y)

    def _named(self, axis: Any, names: Sequence[str]) -> None:
        shown = [short(plain(name), LONGEST if axis is self._axes.yaxis else 12) for name in names]
        axis.set_ticks(range(len(shown)), shown)
        if axis is self._axes.xaxis and sum(map(len, shown)) > 80:
            axis.set_tick_params(rotation=90)

    def _measure(self, axis: Any, meant: Axis, scale: Scale) -> None:
        from matplotlib.ticker import NullLocator

        upright = axis is self._axes.yaxis
        limits = self._axes.get_ylim() if upright else self._axes.get_xlim()
        low = limits[0] if meant.low is None else meant.low / scale.divisor
        high = limits[1] if meant.high is None else meant.high / scale.divisor
        low, high = self._possible(low, high, meant, upright=upright)
        low = self._least(low, scale, upright=upright) if meant.log else low
        high = high if high > low else low + 1.0
        (self._axes.set_ylim if upright else self._axes.set_xlim)(low, high)
        if meant.unit is Unit.TIME:
            self._dates(axis)
            return
        if meant.log:
            (self._axes.set_yscale if upright else self._axes.set_xscale)("log")
            axis.set_major_formatter(lambda value, _: scale.tick(value))
            # Their words and marks are never shown, and to make them took half of the drawing.
            axis.set_minor_locator(NullLocator())
            return
        ticks = ticks_of(low, high, 5 if upright else 8, whole=meant.unit in (Unit.COUNT, Unit.ROUND))
        step = nice_step(low, high, 5 if upright else 8) if len(ticks) < 2 else ticks[1] - ticks[0]
        axis.set_ticks(ticks, [scale.tick(tick, step) for tick in ticks])

    def _possible(self, low: float, high: float, meant: Axis, *, upright: bool) -> tuple[float, float]:
        """Margins make no labels, money or shares negative, and no share larger than all."""
        values = y_values(self._chart) if upright or self._bars else x_values(self._chart)
        if not values:
            return low, high
        low = max(low, 0.0) if min(values) >= 0 else low
        return low, min(high, 1.0) if meant.unit is Unit.SHARE and max(values) <= 1 else high

    def _least(self, low: float, scale: Scale, *, upright: bool) -> float:
        """Where a logarithmic axis begins: at the least value above nothing."""
        values = y_values(self._chart) if upright else x_values(self._chart)
        least = min((value for value in values if value > 0), default=scale.divisor) / scale.divisor
        return max(low, least * 0.9)

    def _dates(self, axis: Any) -> None:
        low, high = axis.get_view_interval()
        ticks = ticks_of(low, high, 5)
        pattern = "%Y-%m-%d" if high - low > 3 * 86400 else "%m-%d %H:%M"
        axis.set_ticks(ticks, [datetime.fromtimestamp(tick, UTC).strftime(pattern) for tick in ticks])

    def _legend(self, height: float) -> float:
        """Write what is measured, and the names of several marks, above. Gives the room taken."""
        handles, names = self._axes.get_legend_handles_labels()
        title = self._y.title if not (self._lying or self._grid) else ""
        room = 6.0
        if title:
            room += 14.0
            self._figure.text(3 / WIDTH, 1 - 5 / height, title, fontsize=SIZE, color=TEXT.light, va="top")
        if len(names) > 1:
            columns = _columns_of(names)
            place = {"loc": "upper left", "bbox_to_anchor": (0.0, 1 - room / height), "ncols": columns}
            style = {"frameon": False, "fontsize": SIZE, "labelcolor": TEXT.light, "borderpad": 0.1}
            gaps = {"handletextpad": 0.5, "columnspacing": 1.6, "borderaxespad": 0.2, "handlelength": 1.6}
            self._figure.legend(handles, names, **place, **style, **gaps)
            room += 14.0 * -(-len(names) // columns)
        upright = any(guide.x is not None for guide in self._chart.guides) or (
            self._lying and self._chart.guides
        )
        return room + (14.0 if upright else 6.0)

    def _place(self, height: float, top: float) -> None:
        labels = [label.get_text() for label in self._axes.get_yticklabels()]
        left = max(map(len, labels), default=0) * LETTER + 14.0
        bottom = 34.0
        if self._axes.xaxis.get_tick_params().get("rotation") == 90:
            bottom += (
                max((len(label.get_text()) for label in self._axes.get_xticklabels()), default=0) * LETTER
            )
        if not self._axes.get_xlabel():
            bottom -= 14.0
        box = (left / WIDTH, bottom / height, 1 - (left + 16.0) / WIDTH, 1 - (bottom + top) / height)
        self._axes.set_position(box)


def _thinning(names: Sequence[str]) -> int:
    """Every how many-th name has room below an upright bar."""
    needed = max(map(len, names), default=0) * LETTER + 8.0
    return max(1, -(-int(needed * len(names)) // int(WIDTH - 50.0)))


def _columns_of(names: Sequence[str]) -> int:
    """As many names in a row as fit."""
    longest = max(map(len, names)) * LETTER + 38.0
    return max(1, min(len(names), int(WIDTH / longest)))
