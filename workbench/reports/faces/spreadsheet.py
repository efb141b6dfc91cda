"""Tables as CSV (RFC 4180), one file a table, harmless also where a spreadsheet would calculate.

Controls and marks of direction are written by their code; JSON has every text as it is.
"""

import csv
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from workbench.domain.errors import ArtifactProblem
from workbench.reports.faces.document import rows_of
from workbench.reports.panel import Table
from workbench.reports.reading import Report
from workbench.reports.words import plain

#: A text that begins so is calculated when a spreadsheet opens it.
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def tables_of(report: Report) -> tuple[Table, ...]:
    """Every table of every panel, in order."""
    return tuple(table for panel in report.panels for table in panel.reading.tables)


def as_csv(table: Table) -> str:
    """Write a table: a head with the names of its columns, then its rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows([[_cell(value) for value in row.values()] for row in rows_of(table)])
    return out.getvalue()


def write_csv(directory: Path, report: Report) -> list[Path]:
    """Write every table into a directory, as ``NAME.csv``; gives the files.

    Raises:
        ArtifactProblem: It can not be written.
    """
    written = []
    for table in tables_of(report):
        path = directory / f"{table.name}.csv"
        write_text(path, as_csv(table), "Name another directory with --csv.")
        written.append(path)
    return written


def write_text(path: Path, text: str, advice: str) -> None:
    """Write a file as a whole or not at all.

    Raises:
        ArtifactProblem: It can not be written.
    """
    if not path.name or path.is_dir():
        raise ArtifactProblem(f"{path} is a folder, and a file was to be written. {advice}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ArtifactProblem(f"{path} can not be written: {error.strerror or error}. {advice}") from error


def _cell(value: Any) -> Any:
    """Keep numbers as they are; a text that would be calculated gets an apostrophe."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        harmless = "".join(letter if letter in "\t\r\n" else plain(letter) for letter in value)
        return f"'{harmless}" if value.startswith(FORMULAS) else harmless
    return value
