"""How the numbers of an axis are written: a scale that people read, and words at its ticks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from workbench.reports.chart import Axis, Bars, Chart, Dots, Grid, Line
from workbench.reports.units import Unit
from workbench.reports.words import HOUR, MINUTE, THIN, cell, heading


class Scale(NamedTuple):
    """An axis as it is drawn.

    Attributes:
        title: With the unit where ticks do not say it.
        divisor: Values are divided by this before they are drawn: seconds become hours.
        unit: How what is left is written.
    """

    title: str
    divisor: float
    unit: Unit

    def tick(self, value: float, step: float = 0.0) -> str:
        """Write a value of the drawn scale, with as many digits as the step between ticks asks for."""
        if self.unit is Unit.SHARE:
            return f"{_by_step(value * 100, step * 100)} %"
        if self.unit is Unit.POINTS:
            return f"{_by_step(value * 100, step * 100, signed=True)} pp"
        if self.unit is Unit.FACTOR:
            return f"{_by_step(value, step)} ×"
        if self.unit in (Unit.COUNT, Unit.ROUND, Unit.MONEY, Unit.SECONDS, Unit.NATS, Unit.NUMBER):
            return _by_step(value, step)
        return cell(value, self.unit)


def scale_of(axis: Axis, values: Iterable[float], currency: str) -> Scale:
    """Choose how an axis is written from what is on it."""
    if axis.unit is not Unit.SECONDS:
        return Scale(heading(axis.title, axis.unit, currency), 1.0, axis.unit)
    most = max((abs(value) for value in values), default=0.0)
    words, divisor = ("h", HOUR) if most >= 2 * HOUR else ("min", MINUTE) if most >= 3 * MINUTE else ("s", 1)
    return Scale(f"{axis.title}, {words}", float(divisor), axis.unit)


def nice_step(low: float, high: float, most: int) -> float:
    """A step of 1, 2, 2.5 or 5 times a power of ten that gives at most so many ticks."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return 1.0
    raw = span / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    return power * next(step for step in (1, 2, 2.5, 5, 10) if step * power >= raw * (1 - 1e-9))


def ticks_of(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round values from low to high."""
    step = nice_step(low, high, most)
    if whole:
        step = max(1.0, step if step != 2.5 else 5.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def x_values(chart: Chart) -> list[float]:
    """Everything along x."""
    found = [value for mark in chart.marks if isinstance(mark, Line | Dots) for value in mark.x]
    return found + [guide.x for guide in chart.guides if guide.x is not None]


def y_values(chart: Chart) -> list[float]:
    """Everything along y, intervals included; of bars, what they measure."""
    found = [value for mark in chart.marks for value in _measured(mark) if value is not None]
    return found + [guide.y for guide in chart.guides if guide.y is not None]


def _measured(mark: Line | Bars | Dots | Grid) -> Iterator[float | None]:
    if isinstance(mark, Grid):
        return
    values: Sequence[float | None] = mark.values if isinstance(mark, Bars) else mark.y
    yield from values
    yield from mark.low
    yield from mark.high


def _by_step(value: float, step: float, *, signed: bool = False) -> str:
    digits = 0
    while step and digits < 6 and abs(round(step, digits) - step) > abs(step) * 1e-6:
        digits += 1
    if not step:
        digits = 0 if float(value).is_integer() else 2
    text = f"{value:,.{digits}f}".replace(",", THIN)
    if not text.strip("-0."):
        return text.removeprefix("-")
    text = text.replace("-", "\N{MINUS SIGN}")
    return f"+{text}" if signed and value > 0 else text
