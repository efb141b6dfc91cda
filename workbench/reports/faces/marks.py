"""How each kind of mark is drawn on matplotlib's axes."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any, Final, NamedTuple

from workbench.reports.axes import Scale
from workbench.reports.chart import Bars, Dots, Grid, Line, Mark
from workbench.reports.palette import BLUE, PAPER, RULE, TEXT, Ink, Look
from workbench.reports.units import Unit
from workbench.reports.words import plain, short

SMALL: Final = 8.0
LONGEST: Final = 40
#: More dots than these are drawn as one path: a picture of thousands stays small.
MANY_DOTS: Final = 150
#: Lines with more values have no marker at each.
MANY_VALUES: Final = 60
SHADES: Final = 8
#: Grids of more columns have no room for numbers in their cells.
MOST_COUNTS: Final = 12


class Frame(NamedTuple):
    """What marks of a chart share: its scales, whether bars lie on their side, and all bars."""

    x: Scale
    y: Scale
    lying: bool
    bars: tuple[Bars, ...]


def draw_mark(axes: Any, mark: Mark, look: Look, frame: Frame) -> None:
    """Draw a mark of any kind."""
    if isinstance(mark, Line):
        _line(axes, mark, look, frame)
    elif isinstance(mark, Dots):
        _dots(axes, mark, look, frame)
    elif isinstance(mark, Bars):
        _bars(axes, mark, look, frame)
    else:
        _grid(axes, mark)


def _line(axes: Any, mark: Line, look: Look, frame: Frame) -> None:
    color, x = look.ink.light, _drawn(mark.x, frame.x)
    if mark.low and mark.high:
        low, high = _drawn(mark.low, frame.y), _drawn(mark.high, frame.y)
        axes.fill_between(x, low, high, color=color, alpha=0.14, linewidth=0)
    axes.plot(
        x,
        _drawn(mark.y, frame.y),
        color=color,
        linewidth=1.8,
        linestyle=(0, (4, 2.5)) if mark.dashed else "-",
        marker=look.marker if mark.marked and len(x) <= MANY_VALUES else None,
        markersize=4.5,
        markeredgecolor=PAPER.light,
        markeredgewidth=0.6,
        label=_label(mark.name),
        solid_capstyle="round",
        zorder=3,
    )


def _dots(axes: Any, mark: Dots, look: Look, frame: Frame) -> None:
    x, y = _drawn(mark.x, frame.x), _drawn(mark.y, frame.y)
    if mark.low and mark.high:
        low, high = _drawn(mark.low, frame.y), _drawn(mark.high, frame.y)
        if len(x) > MANY_VALUES and list(x) == sorted(x):
            axes.fill_between(x, low, high, color=look.ink.light, alpha=0.14, linewidth=0)
        else:
            axes.vlines(x, low, high, color=look.ink.light, linewidth=1.2, alpha=0.7, zorder=3)
    if len(x) > MANY_DOTS:
        _many(axes, list(zip(x, y, strict=True)), mark, look.ink)
        return
    style = {"color": look.ink.light, "marker": look.marker, "markersize": mark.size, "alpha": 0.9}
    edge = {"markeredgecolor": PAPER.light, "markeredgewidth": 0.5, "zorder": 4}
    axes.plot(x, y, linestyle="", label=_label(mark.name), **style, **edge)


def _many(axes: Any, dots: list[tuple[float, float]], mark: Dots, ink: Ink) -> None:
    """Thousands of dots as one path of round ends: an element each would weigh ten times as much."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    path = Path([dot for dot in dots for _ in "ab"], [Path.MOVETO, Path.LINETO] * len(dots))
    path.should_simplify = False
    style = {"edgecolor": ink.light, "linewidth": min(mark.size, 4.0), "alpha": 0.6}
    axes.add_patch(PathPatch(path, fill=False, capstyle="round", **style))
    axes.update_datalim(dots)
    axes.autoscale_view()
    axes.add_line(
        Line2D([], [], color=ink.light, marker="o", linestyle="", markersize=5, label=_label(mark.name))
    )


def _bars(axes: Any, mark: Bars, look: Look, frame: Frame) -> None:
    thick = 0.74 / len(frame.bars)
    shift = (frame.bars.index(mark) - (len(frame.bars) - 1) / 2) * thick
    at = [number + shift for number in range(len(mark.labels))]
    values = [value if isfinite(value) else 0.0 for value in _drawn(mark.values, frame.y)]
    draw = axes.barh if frame.lying else axes.bar
    draw(at, values, thick * 0.92, color=look.ink.light, linewidth=0, label=_label(mark.name), zorder=2)
    if mark.low and mark.high:
        low, high = _drawn(mark.low, frame.y), _drawn(mark.high, frame.y)
        reach = axes.hlines if frame.lying else axes.vlines
        reach(at, low, high, color=PAPER.light, linewidth=3.0, zorder=3)
        reach(at, low, high, color=TEXT.light, linewidth=1.1, zorder=3.1)


def _grid(axes: Any, grid: Grid) -> None:
    """Cells of a shade as one collection: as few elements as there are shades."""
    from matplotlib.collections import PolyCollection

    largest = max([0.0, *(value for row in grid.values for value in row if isfinite(value))]) or 1.0
    cells: dict[int, list[tuple[float, float]]] = {}
    for i, row in enumerate(grid.values):
        for j, value in enumerate(row):
            # Agreement may be less than by chance: no shade is lighter than none.
            shade = max(0, round(SHADES * value / largest)) if isfinite(value) else 0
            cells.setdefault(shade, []).append((j, i))
            if len(grid.columns) <= MOST_COUNTS and isfinite(value) and value:
                _count(axes, (j, i), value, dark=shade > SHADES * 0.55)
    for shade, places in sorted(cells.items()):
        ink, strength = (BLUE, 0.12 + 0.88 * shade / SHADES) if shade else (RULE, 0.4)
        corners = [_corners(*place) for place in places]
        axes.add_collection(PolyCollection(corners, alpha=strength, facecolors=ink.light, linewidths=0))
    across, down = max(1, len(grid.columns)), max(1, len(grid.rows))
    axes.set(xlim=(-0.5, across - 0.5), ylim=(down - 0.5, -0.5))


def _corners(x: float, y: float) -> list[tuple[float, float]]:
    wide, high = 0.48, 0.46
    return [(x - wide, y - high), (x + wide, y - high), (x + wide, y + high), (x - wide, y + high)]


def _count(axes: Any, place: tuple[int, int], value: float, *, dark: bool) -> None:
    color = PAPER.light if dark else TEXT.light
    words = Scale("", 1.0, Unit.NUMBER).tick(value)
    axes.text(*place, words, ha="center", va="center", fontsize=SMALL, color=color, zorder=4)


def _drawn(values: Sequence[float | None], scale: Scale) -> list[float]:
    return [nan if value is None else value / scale.divisor for value in values]


def _label(name: str) -> str:
    """A name in the legend; matplotlib would hide one that begins with an underscore."""
    shown = short(plain(name), LONGEST)
    return f"\N{NO-BREAK SPACE}{shown}" if shown.startswith("_") else shown
