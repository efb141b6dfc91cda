"""How annotators are drawn."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from math import nan

from workbench.reports.chart import Axis, Bars, Chart, Grid, Line, Role
from workbench.reports.panels.annotators_quality import AgreementRow, DriftRow, QualityRow
from workbench.reports.panels.annotators_work import Row
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval, plain

#: More bars or rows than this are no longer read.
MOST_PEOPLE = 30
#: More lines than this are no longer told apart.
MOST_LINES = 4


def right(rows: Sequence[QualityRow]) -> tuple[Chart, ...]:
    """The share of right answers of each person, lowest first."""
    known = sorted((row for row in rows if row.judged), key=lambda row: (row.right or 0.0, row.annotator))
    if not known:
        return ()
    shown = known[:MOST_PEOPLE]
    return (
        Chart(
            name="annotators_right",
            title="Answers that are as the others or gold items say, lowest first",
            summary=f"From {_said(known[0])} to {_said(known[-1])}.",
            x=Axis(title="annotator", unit=Unit.PERSON),
            y=Axis(title="judged answers that are right", unit=Unit.SHARE, low=0.0, high=1.0),
            marks=(
                Bars(
                    name="right",
                    labels=[row.annotator for row in shown],
                    values=[row.right for row in shown],
                    low=[row.low for row in shown],
                    high=[row.high for row in shown],
                    role=Role.ACTIVE,
                ),
            ),
            across=True,
            notes=_left_out(len(known)),
        ),
    )


def seconds(rows: Sequence[Row]) -> tuple[Chart, ...]:
    """The time of the answer in the middle of each person, longest first."""
    known = sorted(
        (row for row in rows if row.median_seconds is not None),
        key=lambda row: (-(row.median_seconds or 0.0), row.annotator),
    )
    if not known:
        return ()
    shown = known[:MOST_PEOPLE]
    return (
        Chart(
            name="annotators_seconds",
            title="Time of one answer, longest first",
            summary=f"Half of the answers of {plain(known[0].annotator)} took longer than "
            f"{in_words(known[0].median_seconds, Unit.SECONDS)}, of {plain(known[-1].annotator)} longer than "
            f"{in_words(known[-1].median_seconds, Unit.SECONDS)}.",
            x=Axis(title="annotator", unit=Unit.PERSON),
            y=Axis(title="median time of an answer", unit=Unit.SECONDS, low=0.0),
            marks=(
                Bars(
                    name="median",
                    labels=[row.annotator for row in shown],
                    values=[row.median_seconds for row in shown],
                    role=Role.NEUTRAL,
                ),
            ),
            across=True,
            notes=_left_out(len(known)),
        ),
    )


def drift(rows: Sequence[DriftRow], people: Sequence[QualityRow]) -> tuple[Chart, ...]:
    """The share of right answers over time: of everybody, and of those who moved most."""
    times = sorted({row.since for row in rows})
    if len(times) < 2:
        return ()
    moved = [row for row in people if row.verdict.startswith("became")]
    chosen = {row.annotator for row in sorted(moved, key=lambda row: -abs(row.drift or 0.0))[:MOST_LINES]}
    lines = [
        _line(name, list(group))
        for name, group in groupby(rows, key=lambda row: row.annotator)
        if name in chosen
    ]
    values = [value for value in _everybody(rows, times).y if value is not None]
    who = f"; {', '.join(map(plain, sorted(chosen)))} moved most" if chosen else "; nobody's drift is shown"
    return (
        Chart(
            name="annotators_drift",
            title="Right answers over time",
            summary=f"Everybody together went from {in_words(values[0], Unit.SHARE)} to "
            f"{in_words(values[-1], Unit.SHARE)} over {count(len(times), 'window')} of time{who}.",
            x=Axis(title="window begins", unit=Unit.TIME),
            y=Axis(title="judged answers that are right", unit=Unit.SHARE, high=1.0),
            marks=(_everybody(rows, times), *lines),
        ),
    )


def kappa(rows: Sequence[AgreementRow]) -> tuple[Chart, ...]:
    """Agreement of every two people as shades."""
    pairs = {(row.first, row.second): row for row in rows if row.measure == "kappa" and row.value is not None}
    names = sorted({name for pair in pairs for name in pair})
    if len(names) < 3:
        return ()
    shown = names[:MOST_PEOPLE]
    lowest = min(pairs.values(), key=lambda row: (row.value or 0.0, row.first, row.second))

    def value(row: str, column: str) -> float:
        found = pairs.get((min(row, column), max(row, column)))
        return nan if found is None or found.value is None else found.value

    return (
        Chart(
            name="annotators_kappa",
            title="Agreement beyond chance, two by two",
            summary=f"Cohen's kappa of {count(len(pairs), 'pair')}; lowest "
            f"{in_words(lowest.value, Unit.NUMBER)}, of {plain(lowest.first)} and {plain(lowest.second)}.",
            x=Axis(title="annotator", unit=Unit.PERSON),
            y=Axis(title="annotator", unit=Unit.PERSON),
            marks=(
                Grid(
                    name="kappa",
                    rows=shown,
                    columns=shown,
                    values=[[value(row, column) for column in shown] for row in shown],
                ),
            ),
            notes=_left_out(len(names)),
        ),
    )


def _everybody(rows: Sequence[DriftRow], times: Sequence[datetime]) -> Line:
    judged, hits = dict.fromkeys(times, 0), dict.fromkeys(times, 0.0)
    for row in rows:
        judged[row.since] += row.judged
        hits[row.since] += row.right * row.judged
    return Line(
        name="everybody",
        x=[time.timestamp() for time in times],
        y=[hits[time] / judged[time] for time in times],
        role=Role.NEUTRAL,
    )


def _line(name: str, rows: Sequence[DriftRow]) -> Line:
    return Line(
        name=name,
        x=[row.since.timestamp() for row in rows],
        y=[row.right for row in rows],
        low=[row.low for row in rows],
        high=[row.high for row in rows],
        role=Role.OTHER,
    )


def _said(row: QualityRow) -> str:
    share = interval(row.right, row.low, row.high, Unit.SHARE, n=row.judged)
    return f"{plain(row.annotator)} with {share}"


def _left_out(people: int) -> tuple[str, ...]:
    left = people - MOST_PEOPLE
    return (f"{count(left, 'person is', 'people are')} left out; the table has all.",) if left > 0 else ()
