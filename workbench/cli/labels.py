"""``workbench labels``: export."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

app = typer.Typer(help="The labels.", no_args_is_help=True)


class Format(StrEnum):
    """File formats for labels."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


@app.callback()
def _group() -> None:
    """The labels."""


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The file to write: .parquet, .csv or .jsonl.")],
    config: ConfigOption = DEFAULT_CONFIG,
    file_format: Annotated[
        Format | None, typer.Option("--format", "-f", help="Where the file's ending does not say.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write every label in force with where it comes from: people, rounds, scores, revisions.

    Example: `workbench labels export labels.parquet`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.export import export_labels

    with open_reading(config) as (store, project, _settings):
        count = export_labels(store, project, output, file_format)
    if as_json:
        print_json({"labels": count, "file": str(output)})
    else:
        say(f"{count} labels written to {output}.")
