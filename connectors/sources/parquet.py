"""Parquet files as a stream of row batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from connectors.errors import SourceError
from connectors.sources.delimited import RowBatch

BATCH_ROWS = 16_384


def parquet_columns(path: Path) -> list[str]:
    """Read the names of the columns.

    Raises:
        SourceError: The file is empty, damaged or no Parquet.
    """
    with _open(path) as file:
        return list(file.schema_arrow.names)


def parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[RowBatch]:
    """Yield the rows of a Parquet file, batch by batch; missing cells are None.

    Raises:
        SourceError: The file is damaged.
    """
    with _open(path) as file:
        following = 1
        for batch in _batches(path, file, columns):
            numbers = range(following, following + batch.num_rows)
            following += batch.num_rows
            yield RowBatch(numbers=numbers, cells=batch.to_pydict())


def _batches(path: Path, file: Any, columns: Sequence[str]) -> Iterator[Any]:
    try:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _open(path: Path) -> Any:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"Found {path}, which can not be read as Parquet ({error}); expected a whole Parquet file. "
        "Write or copy it again."
    )
