"""``workbench annotators``: how much people agree, how right each is, and labels made from it anew."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table

#: The panels whose tables are shown.
PANELS = ("annotators", "label_quality")

app = typer.Typer(help="Annotators.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Annotators: how much they agree, and how right each is."""


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what each annotator did, how long it took, and how right it was.

    Example: `workbench annotators show`
    """
    _show_tables(config, ("annotators", "annotator_quality", "anchoring"), as_json=as_json)


@app.command()
def agreement(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show how far annotators agree beyond chance, all together and two by two.

    Example: `workbench annotators agreement`
    """
    _show_tables(config, ("agreement", "label_quality", "second_look"), as_json=as_json)


@app.command()
def confusion(
    name: Annotated[str, typer.Argument(help="The annotator, as `workbench annotators show` names it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what one annotator says, by what is known without it: a row a true class, a column an answer.

    Example: `workbench annotators confusion ada@example.org`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.confusion import confusion_of

    with open_reading(config) as (store, project, _settings):
        table = confusion_of(store, project, name)
    if as_json:
        print_json({"annotator": name, "classes": list(table.classes), "counts": table.counts})
        return
    rows = [[label, *row] for label, row in zip(table.classes, table.counts, strict=True)]
    show_table(["is", *(f"said {label}" for label in table.classes)], rows, title=name)


@app.command()
def consensus(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Make the labels anew from all annotations by [annotators] consensus, as each `round tell` does.

    Example: `workbench annotators consensus`
    """
    from workbench.bootstrap import open_parts
    from workbench.steps.consensus import reconsider

    with open_parts(config) as parts:
        method = parts.config.annotators.consensus
        count = reconsider(parts)
    if as_json:
        print_json({"consensus": method, "revised": count})
    else:
        say(f"{count} labels say something else by {method}.")


def _show_tables(config: Path, names: tuple[str, ...], *, as_json: bool) -> None:
    from workbench.cli.reading import open_reading
    from workbench.reports.faces.document import rows_of
    from workbench.reports.faces.terminal import show_tables
    from workbench.reports.reading import read_report

    with open_reading(config) as (store, project, _settings):
        found = read_report(store, project, panels=PANELS)
    there = {table.name: table for panel in found.panels for table in panel.reading.tables}
    tables = [there[name] for name in names]
    if as_json:
        print_json({table.name: rows_of(table) for table in tables})
    else:
        show_tables(tables, sys.stdout, found.terms.currency)
