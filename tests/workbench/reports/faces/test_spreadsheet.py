"""CSV: RFC 4180, one file a table, nothing in it is calculated or obeyed."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.domain.errors import ArtifactProblem
from workbench.reports.faces.spreadsheet import as_csv, tables_of, write_csv
from workbench.reports.panel import Table
from workbench.reports.reading import Report


@dataclass(frozen=True)
class Row:
    """A text and a number."""

    text: str
    number: float | None


def _read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@settings(derandomize=True)
@given(st.lists(st.tuples(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False))))
def test_every_row_comes_back_and_nothing_is_a_formula(rows: list[tuple[str, float | None]]) -> None:
    table = Table(name="t", title="T", row=Row, rows=[Row(text, number) for text, number in rows])
    head, *found = _read(as_csv(table))
    assert head == ["text", "number"]
    assert len(found) == len(rows)
    for (_, number), (text, written) in zip(rows, found, strict=True):
        assert not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert (float(written) if written else None) == number


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    table = Table(name="t", title="T", row=Row, rows=[Row(text, -1.5)])
    assert _read(as_csv(table))[1] == [f"'{text}", "-1.5"]


def test_lines_end_as_the_standard_has_it() -> None:
    assert as_csv(Table(name="t", title="T", row=Row, rows=[Row('a "b", c', None)])) == (
        'text,number\r\n"a ""b"", c",\r\n'
    )


def test_controls_and_marks_of_direction_are_shown_by_their_code(report: Report) -> None:
    text = as_csv(tables_of(report)[2])
    assert not {letter for letter in text if not letter.isprintable()} - set("\r\n\t")
    assert "\\u202egnp.exe" in text


def test_every_table_is_a_file_of_its_name_and_nothing_else(report: Report, tmp_path: Path) -> None:
    written = write_csv(tmp_path / "new" / "tables", report)
    assert [path.name for path in written] == ["headline.csv", "curve.csv", "curve_things.csv", "empty.csv"]
    assert sorted(written) == sorted((tmp_path / "new" / "tables").iterdir())
    frame = pd.read_csv(written[1])
    assert list(frame["labels"]) == [20 * number for number in range(12)]
    assert len(pd.read_csv(written[3])) == 0


def test_a_place_that_can_not_be_written_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactProblem, match="--csv"):
        write_csv(tmp_path / "file", report)
