"""One file of the feature cache: rows of numbers under keys, with a hash of each row together with its key.

Layout, little-endian: a header (magic, columns, rows, hash of the table), the table (keys, row hashes), the
rows in float32. A file is written once and never changed.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.learning.durable import write_whole

KEY_BYTES, CHECK_BYTES = 16, 8
MAGIC = b"ALWROWS1"
HEADER = struct.Struct("<8sQQ16s")


class Damaged(Exception):
    """A file, or a row of it, whose bytes are not those that were written."""


class Segment(NamedTuple):
    """A file that is open for reading: rows stay on the disk until they are asked for.

    Attributes:
        path: The file.
        keys_N: In bytes, [N, KEY_BYTES].
        checks_N: Of each row, [N, CHECK_BYTES].
        rows_N_D: Memory-mapped.
    """

    path: Path
    keys_N: NDArray[np.uint8]
    checks_N: NDArray[np.uint8]
    rows_N_D: NDArray[np.float32]

    def row(self, number: int) -> NDArray[np.float32]:
        """Read one row.

        Raises:
            Damaged: It is not what was written.
        """
        row_D = np.array(self.rows_N_D[number])
        if check(self.keys_N[number].tobytes(), row_D.tobytes()) != self.checks_N[number].tobytes():
            raise Damaged(str(self.path))
        return row_D


def key_of(content: bytes) -> bytes:
    """Hash what an item is made of."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


def check(key: bytes, row: bytes) -> bytes:
    """Hash a row under its key: neither other numbers nor those of another item have this hash."""
    return hashlib.blake2b(row, digest_size=CHECK_BYTES, key=key).digest()


def write_segment(path: Path, keys: Sequence[bytes], rows_N_D: NDArray[np.float32]) -> None:
    """Write a file of rows.

    Raises:
        OSError: It can not be written; nothing half-written stays.
    """
    rows = np.ascontiguousarray(rows_N_D, "<f4")
    table = b"".join(keys) + b"".join(check(k, row.tobytes()) for k, row in zip(keys, rows, strict=True))
    header = HEADER.pack(MAGIC, rows.shape[1], len(rows), _digest(table, *rows.shape))
    write_whole(path, header + table + rows.tobytes())


def open_segment(path: Path) -> Segment:
    """Open a file for reading and check all of it but the rows.

    Raises:
        Damaged: It is cut off, or its header or table are not those that were written.
        OSError: It is not there any more, or can not be read.
    """
    with path.open("rb") as file:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            raise Damaged(str(path))
        magic, columns, n_rows, digest = HEADER.unpack(header)
        size = HEADER.size + n_rows * (KEY_BYTES + CHECK_BYTES + 4 * columns)
        if magic != MAGIC or size != os.fstat(file.fileno()).st_size or not (n_rows and columns):
            raise Damaged(str(path))
        table = file.read(n_rows * (KEY_BYTES + CHECK_BYTES))
        if _digest(table, n_rows, columns) != digest:
            raise Damaged(str(path))
        rows_N_D = np.memmap(file, "<f4", "r", HEADER.size + len(table), (n_rows, columns)).view(np.ndarray)
    flat = np.frombuffer(table, np.uint8)
    keys, checks = np.split(flat, [n_rows * KEY_BYTES])
    return Segment(path, keys.reshape(n_rows, KEY_BYTES), checks.reshape(n_rows, CHECK_BYTES), rows_N_D)


def _digest(table: bytes, n_rows: int, columns: int) -> bytes:
    return hashlib.blake2b(struct.pack("<QQ", n_rows, columns) + table, digest_size=16).digest()
