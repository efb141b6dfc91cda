"""A CSV or Parquet file whose rows are items: one column of text, or several of numbers."""

import difflib
import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import SourceError
from connectors.sources.delimited import Dialect, RowBatch, csv_batches, csv_columns
from connectors.sources.duplicates import refuse_duplicates
from connectors.sources.parquet import parquet_batches, parquet_columns
from connectors.sources.records import (
    BrokenItem,
    Content,
    Record,
    SourceItem,
    SourceOptions,
    SourceReading,
)

CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = CSV_SUFFIXES + PARQUET_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A file that was found, its columns, and how to stream some of them."""

    path: Path
    columns: list[str]
    batches: Callable[[Sequence[str]], Iterator[RowBatch]]


def open_table(path: Path, options: SourceOptions) -> SourceReading:
    """Find the rows of a table; nothing but one batch is held in memory.

    A key column is gone through once beforehand, so that keys that occur twice are found before the
    first item is given out. Without one the key is ``<file stem>:<row number>``, counted from 1.

    Raises:
        SourceError: The file, its encoding or its columns are not as asked, or keys occur twice.
    """
    content, value_columns = _values(path, options)
    table = _open(path, options)
    extra = [name for name in (options.key, options.label) if name is not None]
    for name in (*value_columns, *extra):
        _check_column(table, name)
    if options.key is not None:
        refuse_duplicates(path, options.key, lambda: _keys(table, str(options.key)))
    wanted = list(dict.fromkeys((*value_columns, *extra)))
    batches = table.batches(wanted)
    first = next(batches, None)
    if first is None:
        raise SourceError(f"Found no rows in {table.path}, only a header; expected one row per item.")
    reader = partial(_text, options.text) if options.text is not None else partial(_features, value_columns)
    records = _records(table, first, batches, options, reader)
    return SourceReading(content=content, location=str(table.path), records=records)


def _values(path: Path, options: SourceOptions) -> tuple[Content, tuple[str, ...]]:
    if options.images:
        raise SourceError(f"Found the table {path} where images were asked for; give a folder of images.")
    if (options.text is None) == (options.features is None):
        found = "neither" if options.text is None else "both"
        raise SourceError(
            f"Found {found} of a text column and feature columns for {path}; expected exactly one. "
            "Name the column of text (--text), or the columns of numbers (--features)."
        )
    if options.text is not None:
        return Content.TEXT, (options.text,)
    if not options.features:
        raise SourceError(f"Found an empty list of feature columns for {path}; name at least one.")
    return Content.FEATURES, tuple(options.features)


def _open(path: Path, options: SourceOptions) -> _Table:
    path = Path(path).resolve()
    if not path.is_file():
        raise SourceError(f"Found no file at {path}; expected a CSV or Parquet file. Check the path.")
    if path.stat().st_size == 0:
        raise SourceError(f"Found an empty file (0 bytes) at {path}; expected a table with a header.")
    if path.name.lower().endswith(PARQUET_SUFFIXES):
        return _Table(path=path, columns=parquet_columns(path), batches=partial(parquet_batches, path))
    tabs = path.name.lower().endswith((".tsv", ".tsv.gz"))
    dialect = Dialect(encoding=options.encoding, separator=options.separator or ("\t" if tabs else ","))
    batches = partial(csv_batches, path, dialect=dialect)
    return _Table(path=path, columns=csv_columns(path, dialect), batches=batches)


def _check_column(table: _Table, name: str) -> None:
    count = table.columns.count(name)
    if count > 1:
        raise SourceError(
            f"Found {count} columns named {name!r} in {table.path}; expected one. Rename the others."
        )
    if count == 1:
        return
    near = difflib.get_close_matches(name, table.columns, n=1)
    hint = _separator_hint(table) or (f" Did you mean {near[0]!r}?" if near else "")
    shown = ", ".join(table.columns[:50]) or "none"
    raise SourceError(f"Found no column {name!r} in {table.path}; its columns are: {shown}.{hint}")


def _separator_hint(table: _Table) -> str:
    if len(table.columns) == 1:
        for separator in (";", "\t", "|", ","):
            if separator in table.columns[0]:
                return f" They look separated by {separator!r}: give --separator {separator!r}."
    return ""


def _keys(table: _Table, column: str) -> Iterator[list[str]]:
    for batch in table.batches([column]):
        yield [_word(cell) for cell in batch.cells[column]]


def _records(
    table: _Table,
    first: RowBatch,
    batches: Iterator[RowBatch],
    options: SourceOptions,
    read: Callable[[RowBatch, int], tuple[dict[str, Any], bytes]],
) -> Iterator[Record]:
    stem = table.path.name.split(".")[0]
    yield from _batch_records(first, stem, options, read)
    for batch in batches:
        yield from _batch_records(batch, stem, options, read)


def _batch_records(
    batch: RowBatch,
    stem: str,
    options: SourceOptions,
    read: Callable[[RowBatch, int], tuple[dict[str, Any], bytes]],
) -> Iterator[Record]:
    for number, reason in batch.misshapen.items():
        yield BrokenItem(key=f"{options.prefix}{stem}:{number}", reason=f"row {number}: {reason}")
    for index, number in enumerate(batch.numbers):
        place = f"{options.prefix}{stem}:{number}"
        try:
            key = place if options.key is None else options.prefix + _key(batch.cells[options.key][index])
            payload, content = read(batch, index)
            truth = None if options.label is None else _label(batch.cells[options.label][index])
        except ValueError as error:
            yield BrokenItem(key=place, reason=f"row {number}: {error}")
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        yield SourceItem(key=key, payload=payload, sha256=sha256, truth=truth)


def _word(cell: Any) -> str:
    """Write a cell of any type as its column's reader would: whole numbers without a fraction."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _key(cell: Any) -> str:
    key = _word(cell)
    if not key.strip():
        raise ValueError("the key is missing")
    _refuse_nul("key", key)
    return key


def _label(cell: Any) -> str | None:
    label = _word(cell).strip()
    _refuse_nul("label", label)
    return label or None


def _text(column: str, batch: RowBatch, index: int) -> tuple[dict[str, Any], bytes]:
    cell = batch.cells[column][index]
    if cell is None:
        raise ValueError(f"the text in column {column!r} is missing")
    if not isinstance(cell, str):
        raise ValueError(f"column {column!r} holds {type(cell).__name__} where text was expected")
    if not cell.strip():
        raise ValueError(f"the text in column {column!r} is empty")
    _refuse_nul("text", cell)
    return {"text": cell}, cell.encode("utf-8")


def _refuse_nul(what: str, text: str) -> None:
    """Refuse what PostgreSQL and most labeling tools can not store."""
    position = text.find("\0")
    if position >= 0:
        raise ValueError(f"the {what} holds a NUL character (at character {position + 1})")


def _features(columns: Sequence[str], batch: RowBatch, index: int) -> tuple[dict[str, Any], bytes]:
    numbers = [_number(name, batch.cells[name][index]) for name in columns]
    return {"features": numbers}, struct.pack(f"<{len(numbers)}d", *numbers)


def _number(column: str, cell: Any) -> float:
    if cell is None or cell == "":
        raise ValueError(f"the number in column {column!r} is missing")
    try:
        number = float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"column {column!r} holds {str(cell)[:40]!r} where a number was expected") from None
    if not math.isfinite(number):
        raise ValueError(f"column {column!r} holds {str(cell)[:40]!r}; expected a finite number")
    return number + 0.0
