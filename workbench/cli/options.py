"""Options and output that all commands share."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from workbench.steps.parts import Report

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The project's configuration.", show_default=True)
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")
]
DEFAULT_CONFIG = Path("workbench.toml")


def print_json(document: Any) -> None:
    """One JSON object on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str, allow_nan=False)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """Talk goes to stderr, so that stdout stays data."""
    print(text, file=sys.stderr)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table on stdout: as wide as it needs to be when nobody looks at a terminal."""
    from rich.console import Console

    table = _table(columns, rows, title)
    console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)
    console.print(table)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Text, not markup: names of people, classes and items are anybody's strings.
    heading = None if title is None else Text(title, style="table.title")
    table = Table(box=box.SIMPLE_HEAD, title=heading, title_justify="left", pad_edge=False)
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


@contextmanager
def progress_bar(name: str) -> Iterator["Report"]:
    """A progress bar on stderr; a plain line when nobody looks at a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"{name} ...")
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
