"""The report as one HTML file: no script, no outside address. Reads, mails and prints well."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import jinja2
from markupsafe import Markup

from workbench.reports.chart import Chart
from workbench.reports.faces.spreadsheet import write_text
from workbench.reports.faces.svg import svg
from workbench.reports.palette import stylesheet
from workbench.reports.panel import Tone
from workbench.reports.reading import PanelReading, Report
from workbench.reports.sheet import Sheet, sheet_of
from workbench.reports.units import Unit
from workbench.reports.words import NOTHING, cell, in_words, plain, short, tied

#: More rows than these are in the CSV files.
MOST_ROWS: Final = 100
#: Tables of so few rows are open from the beginning.
OPEN_ROWS: Final = 12
#: More findings than these come behind the charts.
FIRST: Final = 3
#: A sign and a word for each tone.
SIGNS: Final = {
    Tone.GOOD: ("✓", "good"),
    Tone.NEUTRAL: ("•", ""),
    Tone.WARNING: ("!", "warning"),
    Tone.BAD: ("✗", "bad"),
    Tone.UNKNOWN: ("?", "unclear"),
}


class Said(NamedTuple):
    """A finding with the sign and the word of its tone."""

    tone: str
    sign: str
    tone_words: str
    words: str


class Picture(NamedTuple):
    """A chart, drawn."""

    title: str
    summary: str
    svg: Markup
    notes: tuple[str, ...]


class Part(NamedTuple):
    """A panel, ready for the page."""

    name: str
    title: str
    sentence: str
    first: tuple[Said, ...]
    further: tuple[Said, ...]
    pictures: tuple[Picture, ...]
    sheets: tuple[Sheet, ...]


class Page(NamedTuple):
    """Everything that the template may use."""

    project: str
    kind: str
    classes: str
    at: str
    #: To the microsecond, as ``report --as-of`` takes it.
    exactly: str
    parts: tuple[Part, ...]
    terms: tuple[tuple[str, str, bool], ...]
    chart_style: Markup


#: Draws a chart, with a currency.
Draw = Callable[[Chart, str], str]


def write_html(path: Path, report: Report, draw: Draw = svg) -> None:
    """Write the report; whatever comes from anywhere is escaped.

    Raises:
        ArtifactProblem: It can not be written.
    """
    write_text(path, as_html(report, draw), "Name another place with --output.")


def as_html(report: Report, draw: Draw = svg) -> str:
    """The report as the text of a page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("workbench.reports.faces", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    return environment.get_template("report.html").render(page=_page(report, draw), OPEN_ROWS=OPEN_ROWS)


def _page(report: Report, draw: Draw) -> Page:
    project, currency = report.project, report.terms.currency
    return Page(
        project=plain(project.name),
        kind=str(project.kind).replace("-", " "),
        classes=cell(len(project.classes), Unit.COUNT),
        at=cell(report.at, Unit.TIME),
        exactly=report.at.isoformat(),
        parts=tuple(_part(panel, currency, draw) for panel in report.panels),
        terms=tuple(_terms(report)),
        chart_style=Markup(stylesheet()),  # noqa: S704 made of our own constants
    )


def _part(panel: PanelReading, currency: str, draw: Draw) -> Part:
    reading = panel.reading
    findings = tuple(
        Said(finding.tone.name.lower(), *SIGNS[finding.tone], tied(plain(finding.words)))
        for finding in reading.findings
    )
    return Part(
        name=panel.name,
        title=panel.title,
        sentence=panel.sentence,
        first=findings[:FIRST] if reading.charts else findings,
        further=findings[FIRST:] if reading.charts else (),
        pictures=tuple(
            Picture(
                plain(chart.title),
                tied(plain(chart.summary)),
                Markup(draw(chart, currency)),  # noqa: S704 every text in it is escaped
                tuple(tied(plain(note)) for note in chart.notes),
            )
            for chart in reading.charts
        ),
        sheets=tuple(sheet_of(table, currency, MOST_ROWS) for table in reading.tables),
    )


def _terms(report: Report) -> Iterator[tuple[str, str, bool]]:
    """What held: words, value, and whether a person changed it since the configuration was written."""
    terms = report.terms
    values = {
        "per_annotation": ("price of an annotation", terms.per_annotation, Unit.MONEY),
        "per_hour": ("price of an hour", terms.per_hour, Unit.MONEY),
        "max_labels": ("most labels", terms.max_labels, Unit.COUNT),
        "max_cost": ("most money", terms.max_cost, Unit.MONEY),
        "max_hours": ("most hours", terms.max_hours, Unit.NUMBER),
        "target": ("target accuracy", terms.target, Unit.SHARE),
        "floor": ("floor of a class's recall", terms.floor, Unit.SHARE),
        "deadline": ("deadline", terms.deadline, Unit.TIME),
    }
    for key, (words, value, unit) in values.items():
        said = "none" if value is None else in_words(value, unit, currency=plain(terms.currency))
        yield words, said.replace(NOTHING, "none"), key in terms.changed
