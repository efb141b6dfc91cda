"""Charts of choosing against random, and of the accuracy on the pool itself."""

from collections.abc import Sequence

from workbench.reports.apart import Apart
from workbench.reports.bought_charts import MARKED, is_far
from workbench.reports.chart import Axis, Chart, Dots, Guide, Line, Role
from workbench.reports.unbiased import ALL, LURE, RANDOM_SHARE, Unbiased
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval


def apart_chart(rounds: Sequence[Apart]) -> list[Chart]:
    """The difference by round, with zero as the line that matters."""
    if not rounds:
        return []
    last = rounds[-1]
    said = interval(last.difference, last.low, last.high, Unit.POINTS, n=last.n)
    line = Line(
        name="chosen minus random",
        x=[row.labels for row in rounds],
        y=[row.difference for row in rounds],
        low=[row.low for row in rounds],
        high=[row.high for row in rounds],
        role=Role.ACTIVE,
        marked=len(rounds) <= MARKED,
    )
    return [
        Chart(
            name="savings_by_round",
            title="How far choosing is ahead at equal labels",
            summary=f"Chosen minus random is {said} with {count(last.labels, 'label')}; above zero choosing "
            "is ahead, and where the band covers zero nothing is shown.",
            x=Axis(title="labels", unit=Unit.COUNT, log=is_far([row.labels for row in rounds])),
            y=Axis(title="difference in accuracy", unit=Unit.POINTS),
            marks=(line,),
            guides=(Guide(words="no difference", y=0.0, role=Role.NEUTRAL),),
        )
    ]


def unbiased_chart(rows: Sequence[Unbiased]) -> list[Chart]:
    """Both estimates by round; they agree where nothing is wrong."""
    parts = [
        _dots(name, method, role, rows)
        for name, method, role in (
            ("chosen items, weighed", LURE, Role.ACTIVE),
            ("random picks", RANDOM_SHARE, Role.RANDOM),
        )
    ]
    marks = tuple(mark for mark in parts if len(mark.x))
    if not marks:
        return []
    newest = [f"{mark.name} {in_words(mark.y[-1], Unit.SHARE)} ({mark.words[-1]})" for mark in marks]
    same = "; both estimate the same accuracy" if len(marks) > 1 else ""
    return [
        Chart(
            name="savings_unbiased",
            title="Accuracy on the pool, before learning from the round",
            summary=f"The newest that are shown: {', '.join(newest)}{same}.",
            x=Axis(title="round", unit=Unit.ROUND),
            y=Axis(title="accuracy on the pool", unit=Unit.SHARE),
            marks=marks,
        )
    ]


def _dots(name: str, method: str, role: Role, rows: Sequence[Unbiased]) -> Dots:
    own = [(row, row.accuracy) for row in rows if row.method == method and row.rounds != ALL]
    shown = [(row, value) for row, value in own if value is not None]
    # Side by side, so that neither hides the other.
    shift = -0.12 if method == LURE else 0.12
    return Dots(
        name=name,
        x=[int(row.rounds) + shift for row, _ in shown],
        y=[value for _, value in shown],
        words=[f"round {row.rounds}, {count(row.n, 'item')}" for row, _ in shown],
        low=[row.low for row, _ in shown],
        high=[row.high for row, _ in shown],
        role=role,
    )
