"""``workbench report``: what was spent, what it bought, whether choosing paid, and whether to go on."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.moments import read_moment
from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, say

if TYPE_CHECKING:
    from workbench.cli.reading import Reading
    from workbench.domain.terms import Terms
    from workbench.reports.panel import View
    from workbench.reports.reading import PanelReading, Report
    from workbench.storage.facts.facts import Facts

#: Shown in the terminal when nothing else is asked for; the file has all.
FIRST = ("headline", "savings")
STDOUT = Path("-")
ALL = "all"


def report(
    config: ConfigOption = DEFAULT_CONFIG,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the HTML file.")
    ] = None,
    as_json: JsonOption = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write each table as CSV into this directory; `-` for one panel's table."),
    ] = None,
    panel: Annotated[
        list[str] | None,
        typer.Option("--panel", help="Only this panel, in the terminal; `all` for all. Repeatable."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="A day (its end, UTC) or a time: the report as it was then.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--round", min=0, help="For panels about one round; the newest if left out.")
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Compare with this project of the database. Repeatable."),
    ] = None,
    hide_names: Annotated[
        bool, typer.Option("--hide-names", help="Call people by made-up names, always the same ones.")
    ] = False,
) -> None:
    """Write the budget report as one HTML file; or print it, as tables, JSON or CSV.

    Example: `workbench report --output budget.html`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.panel import View

    panels = _panels(panel or [])
    _check_faces(output, csv, panels, as_json=as_json)
    view = View(number, tuple(compare or ()))
    with open_reading(config) as reading:
        if output is not None or not (as_json or csv or panels):
            _page(reading, output, lambda each: _read(reading, panels, view, as_of, hide_names, each))
            return
        found = _read(reading, panels, view, as_of, hide_names)
    if as_json:
        _print_json(found)
    elif csv is not None:
        _csv(csv, found)
    else:
        _show(found, [one.name for one in found.panels])


def _panels(asked: Sequence[str]) -> list[str]:
    """The names of panels; an unknown one is refused."""
    from workbench.reports.panels.catalog import PANELS

    known = [panel.name for panel in PANELS]
    for name in asked:
        if name not in (*known, ALL):
            raise typer.BadParameter(
                f"There is no panel '{name}'. There are: {', '.join(known)}, or `{ALL}`.",
                param_hint="--panel",
            )
    return known if ALL in asked else list(asked)


def _check_faces(output: Path | None, csv: Path | None, panels: Sequence[str], *, as_json: bool) -> None:
    """Say so where two forms are asked for at once."""
    if output == STDOUT:
        raise typer.BadParameter("The HTML goes to a file: name one, as report.html.", param_hint="--output")
    asked = [name for name, given in (("--output", output), ("--json", as_json), ("--csv", csv)) if given]
    if len(asked) > 1:
        raise typer.BadParameter(f"Choose one of {' and '.join(asked)}: each is another form of the report.")
    if csv == STDOUT and len(panels) != 1:
        raise typer.BadParameter(
            "`--csv -` prints one table: name its panel with --panel, or a directory for all of them.",
            param_hint="--csv",
        )


def _read(
    reading: "Reading",
    panels: Sequence[str],
    view: "View",
    as_of: str | None,
    hide_names: bool,
    each: "Callable[[PanelReading, Terms], None] | None" = None,
) -> "Report":
    from workbench.reports.reading import read_report
    from workbench.steps.terms import note_file
    from workbench.storage.names import names_for

    store, project, settings = reading
    at = None
    if as_of is None:
        # What the configuration says now counts at once, and is remembered.
        store.insist(lambda tx: note_file(tx, project, settings.config))
    with store.read() as tx:
        if as_of is not None:
            at = read_moment(as_of, now=tx.now, began=tx.projects.began(project.id))
        _check_view(tx.facts(project, at), view)
    names = names_for(store, project, seen=not hide_names)
    return read_report(store, project, panels=panels, view=view, at=at, names=names, each=each)


def _check_view(facts: "Facts", view: "View") -> None:
    """Refuse rounds and projects that are not there."""
    numbers = [one.number for one in facts.rounds.all()]
    if view.round is not None and view.round not in numbers:
        there = f"the rounds are {numbers[0]} to {numbers[-1]}" if numbers else "no round has begun"
        raise typer.BadParameter(f"There is no round {view.round}: {there}.", param_hint="--round")
    known = [project.name for project in facts.others.projects()]
    for name in view.compare:
        if name not in known:
            raise typer.BadParameter(
                f"The database has no project '{name}'. It has: {', '.join(known)}.", param_hint="--compare"
            )


def _print_json(found: "Report") -> None:
    from workbench.reports.faces.document import as_document, as_json

    print(as_json(as_document(found)))


def _csv(directory: Path, found: "Report") -> None:
    from workbench.reports.faces.spreadsheet import as_csv, tables_of, write_csv

    if directory == STDOUT:
        sys.stdout.write(as_csv(tables_of(found)[0]))
        return
    written = write_csv(directory, found)
    say(f"{len(written)} tables are in {directory}")


def _page(reading: "Reading", output: Path | None, read: "Callable[[Callable[..., None]], Report]") -> None:
    from workbench.reports.faces.ahead import drawing_ahead
    from workbench.reports.faces.html import write_html

    path = output or reading.settings.directory / "report.html"
    with drawing_ahead() as ahead:
        found = read(ahead.draw)
        write_html(path, found, ahead.svg)
    _show(found, FIRST, charts=False)
    say(f"The report is at {path}")


def _show(found: "Report", names: Sequence[str], *, charts: bool = True) -> None:
    from workbench.reports.faces.terminal import show_panels

    chosen = [panel for panel in found.panels if panel.name in names]
    show_panels(chosen, sys.stdout, found.terms.currency, charts=charts)
