"""Keys that occur twice, found with eight bytes of memory per key."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.errors import SourceError

SHOWN = 5


def refuse_duplicates(path: Path, column: str, read: Callable[[], Iterator[list[str]]]) -> None:
    """Go through the keys of a table, and once more only when two of them may be equal.

    Raises:
        SourceError: A key occurs twice; the first few are named with their rows.
    """
    digests = np.concatenate([np.empty(0, np.uint64), *map(_digests, read())])
    values, counts = np.unique(digests, return_counts=True)
    suspects = values[counts > 1]
    if not len(suspects):
        return
    doubles = _doubles(read(), suspects)
    if doubles:
        shown = "; ".join(f"{key!r} in rows {first} and {second}" for key, first, second in doubles[:SHOWN])
        more = f" and {len(doubles) - SHOWN} more" if len(doubles) > SHOWN else ""
        raise SourceError(
            f"Found keys twice in column {column!r} of {path}: {shown}{more}; expected each key once. "
            "Repair the file, name another key column, or leave it out to count the rows."
        )


def _digests(keys: list[str]) -> NDArray[np.uint64]:
    joined = b"".join(hashlib.blake2b(_bytes(key), digest_size=8).digest() for key in keys)
    return np.frombuffer(joined, np.uint64)


def _doubles(batches: Iterator[list[str]], suspects: NDArray[np.uint64]) -> list[tuple[str, int, int]]:
    """List the keys that really occur again; an empty key is a broken item, not a double."""
    first_rows: dict[str, int] = {}
    doubles: list[tuple[str, int, int]] = []
    row = 0
    for keys in batches:
        suspicious = np.isin(_digests(keys), suspects)
        for key, suspected in zip(keys, suspicious, strict=True):
            row += 1
            if suspected and key:
                if key in first_rows:
                    doubles.append((key, first_rows[key], row))
                first_rows.setdefault(key, row)
    return doubles


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
