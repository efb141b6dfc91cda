"""A report with every kind of mark, unit and tone, and with texts that attack whoever shows them."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from workbench.domain.records import Project, TaskKind
from workbench.domain.terms import Terms
from workbench.reports.chart import Axis, Bars, Chart, Dots, Grid, Guide, Line, Role
from workbench.reports.panel import Finding, Reading, Table, Tone
from workbench.reports.reading import PanelReading, Report
from workbench.reports.units import (
    Count,
    Factor,
    ItemKey,
    Money,
    Nats,
    Person,
    Points,
    RoundNumber,
    Seconds,
    Share,
    Time,
    Unit,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "</style></svg></table>",
    "\u202egnp.exe\u2066 \x1b[31mred\x9b2J\x07",
    "[bold red]markup[/] :smile:",
    "{{ 7 * 7 }}{% raw %}",
    "two\nlines\r\nand\ttabs",
    "\"quotes\" & 'apostrophes'",
    "$\\frac{a}{b}$ and $x$",
    "k" * 10_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row a round."""

    round: RoundNumber
    labels: Count
    cost: Money
    seconds: Seconds
    accuracy: Share | None
    accuracy_low: Share | None
    accuracy_high: Share | None
    nothing: Share | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One row with every other unit."""

    item: ItemKey
    annotator: Person
    at: Time
    score: Nats
    speed_up: Factor
    difference: Points
    low: Points
    high: Points
    number: float
    right: bool
    text: str | None


def points(rounds: int) -> list[Point]:
    """A project of so many rounds."""
    return [
        Point(
            round=number,
            labels=20 * number,
            cost=1.2 * number,
            seconds=210.0 * number,
            accuracy=None if number == 0 else min(0.95, 0.6 + 0.02 * number),
            accuracy_low=None if number == 0 else 0.55,
            accuracy_high=None if number == 0 else 0.97,
            nothing=None,
            n=360,
        )
        for number in range(rounds)
    ]


def things() -> list[Thing]:
    """A row for every hostile text."""
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return [
        Thing(
            item=text,
            annotator=text,
            at=at,
            score=0.1234,
            speed_up=1.83,
            difference=-0.012,
            low=-0.03,
            high=0.01,
            number=-3.5,
            right=True,
            text=text,
        )
        for text in HOSTILE
    ]


def charts(rounds: int, classes: int) -> tuple[Chart, ...]:
    """A chart of every kind."""
    x = [20.0 * number for number in range(rounds)]
    y = [0.6 + 0.3 * number / max(1, rounds) for number in range(rounds)]
    names = [HOSTILE[number % len(HOSTILE)] + str(number) for number in range(classes)]
    share = Axis(title="accuracy on held-out items", unit=Unit.SHARE)
    curve = Line(name=HOSTILE[0], x=x, y=y, low=y, high=y, role=Role.ACTIVE)
    dashed = Line(name=HOSTILE[4], x=x, y=[None, *y[1:]] if y else [], role=Role.FORECAST, dashed=True)
    guides = (Guide(words="target 95 %", y=0.95), Guide(words=HOSTILE[3], y=0.9), Guide(words="now", x=40.0))
    bars = Bars(
        name="recall", labels=names, values=[0.5] * classes, low=[0.4] * classes, high=[0.6] * classes
    )
    few = Dots(name="few", x=[1.0, 2.0], y=[1.0, 4.0], low=[0.5, 3.0], high=[1.5, 5.0], words=HOSTILE[:2])
    many = Dots(name="many", x=list(map(float, range(500))), y=list(map(float, range(500))))
    plain = Axis(title="direction")
    return (
        Chart(
            name="by_labels",
            title="Accuracy against labels",
            summary=f"From 60 % to 90 %. {HOSTILE[0]}",
            x=Axis(title="labels", unit=Unit.COUNT),
            y=share,
            marks=(curve, dashed),
            guides=guides,
            notes=(HOSTILE[3],),
        ),
        Chart(
            name="by_class",
            title="Recall",
            summary="By class.",
            x=Axis(title="class", unit=Unit.TEXT),
            y=Axis(title="recall", unit=Unit.SHARE, low=0, high=1),
            marks=(bars, bars),
            guides=(Guide(words="floor", y=0.6),),
            across=True,
        ),
        Chart(name="map", title="Pool", summary="A map.", x=plain, y=plain, marks=(few, many)),
        Chart(
            name="confusion",
            title="Confusion",
            summary="Who says what.",
            x=plain,
            y=plain,
            marks=(Grid(name="said", rows=names, columns=names, values=[[1.0] * classes] * classes),),
        ),
    )


def make_report(rounds: int = 12, classes: int = 3) -> Report:
    """The report, of a project of any size."""
    findings = tuple(Finding(f"{tone}: {HOSTILE[0]} {HOSTILE[4]}", tone) for tone in Tone)
    headline = Table(name="headline", title="Key figures", row=Thing, rows=things()[:1])
    curve = Table(name="curve", title="Budget curve", row=Point, rows=points(rounds))
    hostile = Table(name="curve_things", title="Things", row=Thing, rows=things())
    empty = Table(name="empty", title="Empty", row=Thing, rows=[], empty="Type `workbench round ask`.")
    panels = (
        ("headline", Reading(findings=findings, tables=(headline,))),
        ("curve", Reading(tables=(curve, hostile), charts=charts(rounds, classes))),
        ("empty", Reading(tables=(empty,))),
    )
    return Report(
        project=Project(
            id=1, name=HOSTILE[0], uid="x", kind=TaskKind.TEXT, classes=HOSTILE[:classes], seed=0
        ),
        at=datetime(2026, 11, 21, 12, 30, 1, 5, tzinfo=UTC),
        terms=Terms(target=0.95, per_annotation=0.02, currency="</p><b>", changed=frozenset({"target"})),
        panels=tuple(
            PanelReading(name=name, title=name.title(), sentence="What it answers.", reading=reading)
            for name, reading in panels
        ),
    )


@pytest.fixture
def report() -> Report:
    """A report of twelve rounds."""
    return make_report()


@pytest.fixture(params=[(0, 0), (1, 1), (12, 3), (200, 50)], ids=["empty", "one round", "usual", "large"])
def any_report(request: pytest.FixtureRequest) -> Report:
    """A report of any size."""
    rounds, classes = request.param
    return make_report(rounds, classes)
