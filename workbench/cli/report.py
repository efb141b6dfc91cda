"""``workbench report``: what was spent, what it bought, and whether choosing paid."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table


def report(
    config: ConfigOption = DEFAULT_CONFIG,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the HTML file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the budget report as one HTML file; with --json print every panel instead.

    Example: `workbench report --output budget.html`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.catalog import build
    from workbench.reports.html import write_html
    from workbench.storage.store import utc_now

    with open_reading(config) as (store, project, settings):
        panels = build(store, project)
    if as_json:
        print_json({"project": project.name, **{panel.name: panel.rows for panel in panels}})
        return
    path = output or settings.directory / "report.html"
    write_html(path, project, panels, utc_now(), settings.config.budget.currency)
    for panel in panels:
        if panel.rows and panel.name in ("budget_curve", "verdict"):
            columns = [name.replace("_", " ") for name in panel.rows[0]]
            show_table(columns, [list(row.values()) for row in panel.rows], title=panel.title)
    say(f"The report is at {path}")
