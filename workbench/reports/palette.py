"""The colours of charts, light and dark (Okabe and Ito 2008), with a shape for each: nothing hangs on colour.

https://jfly.uni-koeln.de/color/. Yellow is left out: it can not be read on white. The dark ones are the same
hues, lighter: each keeps a contrast of 3 or more to its ground.
"""

from itertools import count
from typing import Final, NamedTuple

from workbench.reports.chart import Chart, Role


class Ink(NamedTuple):
    """A colour by name, as it is on white and on the dark ground."""

    name: str
    light: str
    dark: str


class Look(NamedTuple):
    """How marks of a kind are drawn: the ink, and a marker's shape as matplotlib names it."""

    ink: Ink
    marker: str


BLUE: Final = Ink("blue", "#0072b2", "#56a8dd")
VERMILION: Final = Ink("vermilion", "#d55e00", "#f0894a")
GREEN: Final = Ink("green", "#008a65", "#35c59b")
PURPLE: Final = Ink("purple", "#b4548a", "#e39cc5")
ORANGE: Final = Ink("orange", "#b87a00", "#f0b440")
SKY: Final = Ink("sky", "#2f8fc4", "#8fd0f5")
GREY: Final = Ink("grey", "#6b7683", "#98a4b1")
#: Of texts, axes, grid lines and the ground itself.
TEXT: Final = Ink("text", "#1d2733", "#e6ebf1")
SOFT: Final = Ink("soft", "#566270", "#a3afbc")
RULE: Final = Ink("rule", "#e1e6eb", "#2f3a46")
PAPER: Final = Ink("paper", "#ffffff", "#141a21")
INKS: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY, TEXT, SOFT, RULE, PAPER)

LOOKS: Final = {
    Role.ACTIVE: Look(BLUE, "o"),
    Role.RANDOM: Look(VERMILION, "s"),
    Role.CEILING: Look(GREY, "D"),
    Role.FORECAST: Look(PURPLE, "^"),
    Role.TARGET: Look(TEXT, "D"),
    Role.GOOD: Look(GREEN, "o"),
    Role.BAD: Look(VERMILION, "X"),
    Role.NEUTRAL: Look(GREY, "o"),
}
OTHERS: Final = (
    Look(BLUE, "o"),
    Look(VERMILION, "s"),
    Look(GREEN, "^"),
    Look(PURPLE, "D"),
    Look(ORANGE, "v"),
    Look(SKY, "P"),
    Look(GREY, "X"),
)


def looks_of(chart: Chart) -> tuple[Look, ...]:
    """How each mark of a chart is drawn, in order; those of no role take turns."""
    turns = count()
    return tuple(_look(getattr(mark, "role", Role.OTHER), turns) for mark in chart.marks)


def stylesheet() -> str:
    """Rules that let charts follow the page from light to dark; to be put into its style sheet."""
    light = ";".join(f"--{ink.name}:{ink.light}" for ink in INKS)
    dark = ";".join(f"--{ink.name}:{ink.dark}" for ink in INKS)
    fills = "".join(f".f-{ink.name}{{fill:var(--{ink.name})}}" for ink in INKS)
    strokes = "".join(f".s-{ink.name}{{stroke:var(--{ink.name})}}" for ink in INKS)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{fills}{strokes}"


def _look(role: Role, turns: "count[int]") -> Look:
    return LOOKS[role] if role in LOOKS else OTHERS[next(turns) % len(OTHERS)]
