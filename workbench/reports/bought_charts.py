"""The budget curve as charts: accuracy against labels, against money, against time."""

from collections.abc import Sequence

from workbench.reports.bought import SHARE_ALONE, Beside, Bought, Row
from workbench.reports.chart import Axis, Chart, Guide, Line, Role
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval

#: Of more rounds than this no marks are drawn: the line says enough.
MARKED = 60
#: From this many times the first value on an axis is logarithmic: most happens at its beginning.
FAR = 30


def charts_of(drawn: Bought) -> list[Chart]:
    """One against labels, and one against each of money and time that was spent."""
    if not drawn.measured:
        return []
    charts = [_chart(drawn, "labels", "labels", Unit.COUNT, [row.labels for row in drawn.measured])]
    if drawn.rows[-1].cost > 0:
        charts.append(_chart(drawn, "cost", "money", Unit.MONEY, [row.cost for row in drawn.measured]))
    if drawn.rows[-1].seconds > 0:
        seconds = [row.seconds for row in drawn.measured]
        charts.append(_chart(drawn, "hours", "annotators' time", Unit.SECONDS, seconds))
    return charts


def _chart(drawn: Bought, name: str, title: str, unit: Unit, x: Sequence[float]) -> Chart:
    rows = drawn.measured
    at = dict(zip((row.round for row in rows), x, strict=True))
    marks = [_line("chosen", Role.ACTIVE, x, rows, "accuracy", "accuracy_low", "accuracy_high")]
    if drawn.random:
        across = [at[row.round] for row in drawn.random]
        names = ("control_accuracy", "control_low", "control_high")
        marks.append(_line("drawn at random", Role.RANDOM, across, drawn.random, *names))
    alone = [row for row in drawn.beside if row.trained_on == SHARE_ALONE]
    if alone and name == "labels" and not drawn.random:
        labels = [row.labels for row in alone]
        marks.append(_line("random share alone", Role.RANDOM, labels, alone, "accuracy", "low", "high"))
    by_labels = name == "labels" or not drawn.random
    return Chart(
        name=f"budget_curve_by_{name}",
        title=f"Accuracy against {title}",
        summary=_summary(drawn, unit, x),
        x=Axis(title=title, unit=unit, log=is_far(x)),
        y=Axis(title=f"accuracy on {drawn.measured_on}", unit=Unit.SHARE),
        marks=tuple(marks),
        guides=tuple(_guides(drawn)),
        notes=() if by_labels else ("Random labels are drawn as if each had cost what the chosen ones did.",),
    )


def _line(
    name: str,
    role: Role,
    x: Sequence[float],
    rows: Sequence[Row] | Sequence[Beside],
    value: str,
    low: str,
    high: str,
) -> Line:
    return Line(
        name=name,
        x=x,
        y=[getattr(row, value) for row in rows],
        low=[getattr(row, low) for row in rows],
        high=[getattr(row, high) for row in rows],
        role=role,
        marked=len(rows) <= MARKED,
    )


def _guides(drawn: Bought) -> list[Guide]:
    guides = []
    if drawn.target is not None:
        guides.append(Guide(words=f"target {in_words(drawn.target, Unit.SHARE)}", y=drawn.target))
    if drawn.ceiling is not None:
        words = f"all {count(drawn.ceiling.labels, 'label')} {in_words(drawn.ceiling.accuracy, Unit.SHARE)}"
        guides.append(Guide(words=words, y=drawn.ceiling.accuracy, role=Role.CEILING))
    return guides


def _summary(drawn: Bought, unit: Unit, x: Sequence[float]) -> str:
    first, last = drawn.measured[0], drawn.measured[-1]
    currency = drawn.currency
    begin, end = (in_words(value, unit, currency=currency) for value in (x[0], x[-1]))
    of = " labels" if unit is Unit.COUNT else ""
    words = f"{accuracy_of(last)} at {end}{of} in round {last.round}"
    if first is not last:
        begun = f"{in_words(first.accuracy, Unit.SHARE, n=first.n)} at {begin}{of} in round {first.round}"
        words = f"From {begun} to {words}"
    if drawn.random:
        beside = drawn.random[-1]
        words += f"; drawn at random {in_words(beside.control_accuracy, Unit.SHARE, n=beside.n)}"
    return f"{words}."


def is_far(x: Sequence[float]) -> bool:
    """Whether values along an axis grow so much that it is better logarithmic."""
    return min(x, default=0) > 0 and max(x) > FAR * min(x)


def accuracy_of(row: Row) -> str:
    """The accuracy of a round in words, with its interval and the items behind it."""
    words = interval(row.accuracy, row.accuracy_low, row.accuracy_high, Unit.SHARE, n=row.n)
    return f"{words} (95 % interval, {count(row.n, 'item')})"
