"""A chart in letters, for terminals: told apart by shape, readable without colour, as wide as asked."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Final

from workbench.reports.axes import Scale, scale_of, x_values, y_values
from workbench.reports.chart import Bars, Chart, Dots, Grid, Line
from workbench.reports.units import Unit
from workbench.reports.words import cell, cell_interval, plain, short

HEIGHT: Final = 11
GLYPHS: Final = "●■▲◆▼✚✖"
BLOCKS: Final = "█▓▒░"
EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
SHADES: Final = " ░▒▓█"
GUIDE: Final = "┄"
MOST_BARS: Final = 16
NAME: Final = 24
#: What there is no half of.
WHOLE: Final = (Unit.COUNT, Unit.ROUND)
STEPS: Final = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)


def plot(chart: Chart, width: int, currency: str = "") -> list[str]:
    """Draw a chart as lines of text, none longer than ``width``."""
    bars = [mark for mark in chart.marks if isinstance(mark, Bars)]
    grids = [mark for mark in chart.marks if isinstance(mark, Grid)]
    if bars:
        lines = _bars(bars, scale_of(chart.y, y_values(chart), currency), width)
    else:
        lines = _grid(grids[0], width) if grids else _curves(chart, width, currency)
    return [line[:width] for line in lines]


def _curves(chart: Chart, width: int, currency: str) -> list[str]:
    xs, ys = x_values(chart), _seen_y(chart)
    if not xs or not ys:
        return []
    x, y = scale_of(chart.x, xs, currency), scale_of(chart.y, ys, currency)
    (left, right), (bottom, top) = _span(xs), _span(ys)
    marks = [_tick(y, value, top - bottom) for value in (top, (top + bottom) / 2, bottom)]
    margin = max(map(len, marks))
    canvas = _Canvas(width - margin - 3, (left, right), (bottom, top))
    for guide in chart.guides:
        canvas.guide(guide.x, guide.y)
    for number, mark in reversed(list(enumerate(chart.marks))):
        canvas.draw(mark, GLYPHS[number % len(GLYPHS)])
    shown = {0: marks[0], HEIGHT // 2: marks[1], HEIGHT - 1: marks[2]}
    body = [f"{shown.get(row, ''):>{margin}} │{line}" for row, line in enumerate(canvas.lines())]
    ends = _tick(x, left, right - left), _tick(x, right, right - left)
    under = _ends(*ends, x.title, canvas.width)
    return [
        y.title,
        *body,
        f"{'':>{margin}} └{'─' * canvas.width}",
        f"{'':>{margin}}  {under}",
        *_legend(chart, width),
    ]


class _Canvas:
    """Letters by row and column, and where a value lies among them."""

    def __init__(self, width: int, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.width = max(10, width)
        self._x, self._y = x, y
        self._cells = [[" "] * self.width for _ in range(HEIGHT)]

    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def guide(self, x: float | None, y: float | None) -> None:
        if y is not None:
            self._cells[self._row(y)] = [GUIDE] * self.width
        if x is not None:
            for row in self._cells:
                row[self._column(x)] = "┊"

    def draw(self, mark: object, glyph: str) -> None:
        if isinstance(mark, Line):
            known = [(x, y) for x, y in zip(mark.x, mark.y, strict=True) if y is not None and isfinite(y)]
            for point in self._between(sorted(known)):
                self._put(*point, "·")
            for point in known:
                self._put(*point, glyph)
        elif isinstance(mark, Dots):
            for point in zip(mark.x, mark.y, strict=True):
                self._put(*point, glyph)

    def _between(self, known: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """A point for each column between two values."""
        found = []
        for (x, y), (next_x, next_y) in pairwise(known):
            steps = max(1, self._column(next_x) - self._column(x))
            found += [
                (x + (next_x - x) * step / steps, y + (next_y - y) * step / steps) for step in range(1, steps)
            ]
        return found

    def _put(self, x: float, y: float, letter: str) -> None:
        if isfinite(x) and isfinite(y):
            self._cells[self._row(y)][self._column(x)] = letter

    def _column(self, x: float) -> int:
        return round(_share(x, self._x) * (self.width - 1))

    def _row(self, y: float) -> int:
        return round((1 - _share(y, self._y)) * (HEIGHT - 1))


def _bars(bars: Sequence[Bars], scale: Scale, width: int) -> list[str]:
    values = [value for mark in bars for value in mark.values if value is not None and isfinite(value)]
    most = 1.0 if scale.unit is Unit.SHARE else max([*values, 0.0]) or 1.0
    names = [short(plain(name), NAME) for name in bars[0].labels]
    margin = max(map(len, names), default=0)
    said = {(i, n): _interval(mark, i, scale.unit) for i in range(len(names)) for n, mark in enumerate(bars)}
    room = max(8, width - margin - 2 - max(map(len, said.values()), default=0))
    lines = [f"{plain(mark.name)} {BLOCKS[i % len(BLOCKS)] * 3}" for i, mark in enumerate(bars)]
    lines = [f"{scale.title}: {'   '.join(lines)}" if len(bars) > 1 else scale.title]
    for place, name in list(enumerate(names))[:MOST_BARS]:
        for number, mark in enumerate(bars):
            head = name if number == 0 else ""
            lines.append(
                f"{head:>{margin}} {_bar(mark.values[place], most, room, number)} {said[place, number]}"
            )
    left = len(names) - MOST_BARS
    return [*lines, f"… and {left} more"] if left > 0 else lines


def _bar(value: float | None, most: float, room: int, number: int) -> str:
    eighths = round(max(0.0, value or 0.0) / most * room * 8)
    if number:
        return BLOCKS[number % len(BLOCKS)] * round(eighths / 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _interval(mark: Bars, place: int, unit: Unit) -> str:
    if not (mark.low and mark.high):
        return cell(mark.values[place], unit)
    return cell_interval(mark.values[place], mark.low[place], mark.high[place], unit)


def _grid(grid: Grid, width: int) -> list[str]:
    """Two letters a cell; nothing where it does not fit, as its table has the numbers."""
    names = [short(plain(name), NAME) for name in grid.rows]
    margin = max(map(len, names), default=0)
    if margin + 2 + 2 * len(grid.columns) > width or not grid.values:
        return []
    largest = max((value for row in grid.values for value in row if isfinite(value)), default=0.0) or 1.0
    return [
        f"{name:>{margin}} │{''.join(_shade(value, largest) for value in row)}"
        for name, row in zip(names, grid.values, strict=True)
    ]


def _shade(value: float, largest: float) -> str:
    if not isfinite(value) or value <= 0:
        return SHADES[0] * 2
    return SHADES[max(1, min(4, round(4 * value / largest)))] * 2


def _legend(chart: Chart, width: int) -> list[str]:
    words = [f"{GLYPHS[i % len(GLYPHS)]} {plain(mark.name)}" for i, mark in enumerate(chart.marks)]
    words += [f"{GUIDE if guide.x is None else '┊'} {plain(guide.words)}" for guide in chart.guides]
    if len(words) < 2:
        return []
    lines = [""]
    for word in words:
        joined = f"{lines[-1]}   {word}" if lines[-1] else word
        lines = [*lines[:-1], joined] if len(joined) <= width else [*lines, word]
    return [line for line in lines if line]


def _seen_y(chart: Chart) -> list[float]:
    """What is drawn here: values and guides, not the ends of bands."""
    values = [v for mark in chart.marks if isinstance(mark, Line | Dots) for v in mark.y]
    values += [guide.y for guide in chart.guides]
    return [value for value in values if value is not None and isfinite(value)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _share(value: float, span: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - span[0]) / (span[1] - span[0])))


def _tick(scale: Scale, value: float, span: float) -> str:
    """With digits that tell the two ends apart."""
    if scale.unit is Unit.TIME:
        from datetime import UTC, datetime

        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}"
    if scale.unit in WHOLE:
        return scale.tick(round(value / scale.divisor), 1.0)
    wanted = abs(span) / scale.divisor / 40 * 1.001
    step = next((step for step in STEPS if step <= wanted), STEPS[-1])
    return scale.tick(round(value / scale.divisor / step) * step, step)


def _ends(left: str, right: str, title: str, width: int) -> str:
    middle = title[: max(0, width - len(left) - len(right) - 4)]
    return f"{left}{middle:^{max(1, width - len(left) - len(right))}}{right}"
