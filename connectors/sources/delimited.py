"""CSV files as a stream of row batches: every cell is the string that the file holds, never a guess.

Empty cells come as empty strings and "NA" stays "NA". Rows with a wrong number of cells are told apart
from the good ones. The bytes are decoded here and not by the parser, so that a wrong encoding can name
the byte. Files that end in ``.gz`` are unpacked on the way.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv

from connectors.errors import SourceError

#: Memory follows it, and no single row may be larger.
BLOCK_BYTES = 16 << 20
#: Rows that are Python objects at the same time.
SLICE_ROWS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str = "utf-8"
    separator: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBatch:
    """Some rows of a table, column by column.

    Attributes:
        numbers: The number of each row in the file, the first after the header is 1.
        cells: For each column the cells of these rows.
        misshapen: Rows of this stretch with a wrong number of cells: number and reason.
    """

    numbers: Sequence[int]
    cells: dict[str, list[Any]]
    misshapen: dict[int, str] = field(default_factory=dict)


def csv_columns(path: Path, dialect: Dialect) -> list[str]:
    """Read the header line.

    Raises:
        SourceError: The file is empty or in another encoding.
    """
    with _open(path, dialect) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=dialect.separator)
        try:
            return next((row for row in rows if row), [])
        except csv.Error as error:
            raise SourceError(
                f"Found no header line in {path} ({error}); expected the names of the columns there. "
                "Add them as the first line."
            ) from error


def csv_batches(path: Path, columns: Sequence[str], dialect: Dialect) -> Iterator[RowBatch]:
    """Yield the rows of a CSV file, batch by batch.

    Raises:
        SourceError: Wrong encoding, or a row that is larger than a block (mostly an unclosed quote).
    """
    wrong: dict[int, str] = {}

    def note(row: Any) -> str:
        reason = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        wrong[row.number - 1] = reason
        return "skip"

    with _open(path, dialect) as stream:
        reader = _reader(path, stream, columns, dialect, note)
        following = 1
        for batch in _batches(path, reader):
            numbers: list[int] = []
            misshapen: dict[int, str] = {}
            while len(numbers) < batch.num_rows:
                _take(following, wrong, misshapen, numbers)
                following += 1
            yield RowBatch(numbers=numbers, cells=batch.to_pydict(), misshapen=misshapen)
        if wrong:
            yield RowBatch(numbers=[], cells={name: [] for name in columns}, misshapen=dict(wrong))


def _take(number: int, wrong: dict[int, str], misshapen: dict[int, str], numbers: list[int]) -> None:
    """Put the row of this number where it belongs."""
    if number in wrong:
        misshapen[number] = wrong.pop(number)
    else:
        numbers.append(number)


def _reader(path: Path, stream: IO[bytes], columns: Sequence[str], dialect: Dialect, note: Any) -> Any:
    try:
        return pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in columns},
                include_columns=list(columns),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _unparsed(path, error) from error


def _batches(path: Path, reader: Any) -> Iterator[Any]:
    try:
        for block in reader:
            yield from (block.slice(first, SLICE_ROWS) for first in range(0, block.num_rows, SLICE_ROWS))
    except pa.ArrowInvalid as error:
        raise _unparsed(path, error) from error


def _unparsed(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"Found something in {path} that can not be parsed as CSV ({error}); expected rows of at most "
        f"{BLOCK_BYTES >> 20} MiB. Mostly a quote was opened and never closed: repair the file."
    )


def _open(path: Path, dialect: Dialect) -> IO[bytes]:
    packed = path.suffix.lower() == ".gz"
    raw: IO[bytes] = io.BufferedReader(gzip.GzipFile(path)) if packed else path.open("rb")
    return io.BufferedReader(_Utf8Stream(raw, path, dialect.encoding), buffer_size=1 << 20)


class _Utf8Stream(io.RawIOBase):
    """Bytes of any encoding, read as UTF-8; held open while a file is read."""

    def __init__(self, raw: IO[bytes], path: Path, encoding: str) -> None:
        self._raw, self._path, self._encoding = raw, path, encoding
        try:
            self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        except LookupError as error:
            raw.close()
            raise SourceError(
                f"Found encoding={encoding!r}; expected a name that Python knows, such as utf-8 or cp1252."
            ) from error
        self._read_bytes = 0
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            self._decode_more()
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _decode_more(self) -> None:
        pending = len(self._decoder.getstate()[0])
        try:
            chunk = self._raw.read(1 << 18)
            self._ended = not chunk
            self._ready = self._decoder.decode(chunk, final=self._ended).encode("utf-8")
        except UnicodeError as error:
            raise self._wrong_encoding(error, pending) from error
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(
                f"Found {self._path} damaged while unpacking ({error}). Copy it again."
            ) from error
        self._read_bytes += len(chunk)

    def _wrong_encoding(self, error: UnicodeError, pending: int) -> SourceError:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        return SourceError(
            f"Found bytes in {self._path} that are not {self._encoding} "
            f"(byte {self._read_bytes - pending + start}: {getattr(error, 'reason', error)}). "
            "Save the file as UTF-8, or name its encoding, for example --encoding cp1252."
        )
