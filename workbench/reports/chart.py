"""A chart as data: what is drawn, not how. Faces turn it into SVG, into an interactive plot, into text.

Everything shown can also be read: a chart carries a sentence for those who do not see it, and its numbers
stand in the tables of its panel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from workbench.reports.units import Unit


class Role(StrEnum):
    """What a mark stands for; each has one colour in all charts, told apart by the colour-blind, too."""

    ACTIVE = "active"
    RANDOM = "random"
    CEILING = "ceiling"
    FORECAST = "forecast"
    TARGET = "target"
    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"
    #: One of several of a kind; the next colour of the palette is taken.
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis: its title without the unit, which faces write."""

    title: str
    unit: Unit = Unit.NUMBER
    low: float | None = None
    high: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Values along x, with a band where low and high are known."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    role: Role = Role.OTHER
    dashed: bool = False
    #: Whether each value has a mark of its own.
    marked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Values of named things, with intervals where they are known."""

    name: str
    labels: Sequence[str]
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    role: Role = Role.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """Single points, each with words where there are some; with intervals along y."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    words: Sequence[str] = ()
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    role: Role = Role.OTHER
    size: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of shades of rows by columns. Larger is darker; NaN stays empty, what is below zero pale."""

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A line across the chart at a value of one axis: a target, a floor, a ceiling."""

    words: str
    x: float | None = None
    y: float | None = None
    role: Role = Role.TARGET


Mark: TypeAlias = Line | Bars | Dots | Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a panel.

    Attributes:
        name: As in an address: ``budget_curve_by_cost``.
        title: What it shows, a few words.
        summary: What is to be seen in it, a sentence or two, with numbers: for those who do not see it.
        across: Whether bars lie on their side: for long names.
    """

    name: str
    title: str
    summary: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    guides: tuple[Guide, ...] = ()
    across: bool = False
    notes: tuple[str, ...] = field(default=())
