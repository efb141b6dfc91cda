"""Panels as pages show them: findings, charts side by side, tables in words, previews of items."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from workbench.reports.chart import Chart
from workbench.reports.panel import Finding
from workbench.reports.panels.catalog import PANELS
from workbench.reports.sheet import Sheet, sheet_of
from workbench.reports.units import Unit
from workbench.web.plots import plot
from workbench.web.readings import Said

#: Rows of a table that a page shows; all are in its CSV.
MOST_ROWS = 200
#: The parts of the navigation: which questions belong together.
GROUPS = (
    ("Worth", ("headline", "budget_curve", "savings", "forecast", "stopping")),
    ("Data", ("coverage", "batch")),
    ("People", ("annotators", "label_quality")),
    ("Trust", ("calibration", "integrity", "comparison")),
)
BY = "_by_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A panel in the navigation."""

    name: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartView:
    """A chart on a page.

    Attributes:
        plot: For the interactive picture, as JSON that can stand in a page; None where there is none.
        drawing: Shown at once, and to those without script; None where it is fetched when needed.
        tab: What tells it from its siblings: ``labels``, ``cost``.
    """

    name: str
    title: str
    summary: str
    notes: tuple[str, ...]
    plot: Markup | None
    drawing: Markup | None
    tab: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartGroup:
    """Charts of the same against different things: one is shown at a time."""

    name: str
    charts: tuple[ChartView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """A panel on a page."""

    name: str
    title: str
    sentence: str
    findings: tuple[Finding, ...]
    groups: tuple[ChartGroup, ...]
    sheets: tuple[Sheet, ...]
    at: str


def navigation() -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """The panels in their groups; those that nobody has sorted come last."""
    entries = {
        panel.name: Entry(name=panel.name, title=panel.title, sentence=panel.sentence) for panel in PANELS
    }
    groups = [
        (words, tuple(entries.pop(name) for name in names if name in entries)) for words, names in GROUPS
    ]
    return tuple((words, found) for words, found in [*groups, ("More", tuple(entries.values()))] if found)


def entry_of(name: str) -> Entry:
    """A panel by its name."""
    panel = next(panel for panel in PANELS if panel.name == name)
    return Entry(name=panel.name, title=panel.title, sentence=panel.sentence)


def view_of(said: Said, *, drawn: int = 1, most: int | None = MOST_ROWS) -> PanelView:
    """Prepare a panel for a page.

    Args:
        drawn: How many charts stand in the page as drawings, too: those that are seen first.
        most: Rows of each table at most.
    """
    return said.once((drawn, most), lambda: _view(said, drawn, most))


def _view(said: Said, drawn: int, most: int | None) -> PanelView:
    panel, currency = said.panel, said.report.terms.currency
    charts = [_chart(said, chart, place < drawn) for place, chart in enumerate(panel.reading.charts)]
    return PanelView(
        name=panel.name,
        title=panel.title,
        sentence=panel.sentence,
        findings=panel.reading.findings,
        groups=_grouped(charts),
        sheets=tuple(sheet_of(table, currency, most) for table in panel.reading.tables),
        at=f"{said.report.at:%Y-%m-%d %H:%M} UTC",
    )


def item_keys(sheets: Sequence[Sheet], most: int = 100) -> list[str]:
    """The items that tables name first: they are shown with a preview."""
    keys: dict[str, None] = {}
    for sheet in sheets:
        places = [place for place, head in enumerate(sheet.heads) if head.unit is Unit.ITEM][:1]
        keys.update(
            dict.fromkeys(str(row[place].value) for row in sheet.rows for place in places if row[place].value)
        )
    return list(keys)[:most]


def for_page(document: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it ends that element."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704  # escaped right here


def _chart(said: Said, chart: Chart, drawn: bool) -> ChartView:
    figure = plot(chart, said.report.terms.currency)
    return ChartView(
        name=chart.name,
        title=chart.title,
        summary=chart.summary,
        notes=chart.notes,
        plot=None if figure is None else for_page(figure),
        drawing=Markup(said.drawing(chart)) if drawn or figure is None else None,  # noqa: S704  # drawn by us
        tab=chart.name.partition(BY)[2].replace("_", " "),
    )


def _grouped(charts: Sequence[ChartView]) -> tuple[ChartGroup, ...]:
    groups: dict[str, list[ChartView]] = {}
    for chart in charts:
        stem = chart.name.partition(BY)[0] if chart.tab else chart.name
        groups.setdefault(stem, []).append(chart)
    return tuple(ChartGroup(name=name, charts=tuple(found)) for name, found in groups.items())
