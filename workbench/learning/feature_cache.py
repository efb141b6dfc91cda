"""Embeddings on the disk, each computed once per encoder and item, and found again by any process.

A folder of files that are written once (``feature_segments``): two processes write files of their own and see
those of the other, a process that dies leaves nothing half-written. Every row is checked when it is read; a
file in which anything is wrong is deleted and its rows count as missing. In memory are 40 bytes per row; the
rows themselves stay on the disk. The folder may be deleted at any time: it is filled again.
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import ArtifactProblem
from workbench.learning.feature_segments import (
    KEY_BYTES,
    Damaged,
    Segment,
    open_segment,
    write_segment,
)

SUFFIX = ".rows"
LEFT_BEHIND_SECONDS = 24 * 3600.0


class _Run(NamedTuple):
    """Where some rows lie, sorted by the first half of their keys."""

    starts_N: NDArray[np.uint64]
    segments_N: NDArray[np.uint32]
    rows_N: NDArray[np.uint32]

    def at(self, which_N: NDArray[np.intp] | NDArray[np.bool_]) -> "_Run":
        """Take some of them."""
        return _Run(self.starts_N[which_N], self.segments_N[which_N], self.rows_N[which_N])


class FeatureCache:
    """The rows of one encoder; holds open files and an index of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[int, Segment] = {}
        self._names: set[str] = set()
        self._runs: list[_Run] = []
        _sweep(folder)

    def find(self, keys: Sequence[bytes]) -> list[NDArray[np.float32] | None]:
        """Read the rows of keys, None for those that are not there; also what other processes wrote."""
        if not keys:
            return []
        found = self._read(keys)
        if any(row is None for row in found) and self._look_around():
            again = iter(self._read([k for k, row in zip(keys, found, strict=True) if row is None]))
            found = [next(again) if row is None else row for row in found]
        return found

    def add(self, keys: Sequence[bytes], rows_N_D: NDArray[np.float32]) -> None:
        """Keep rows under their keys, for good when this returns.

        Raises:
            ArtifactProblem: They can not be written.
        """
        path = self._folder / f"{time.time_ns():020d}-{secrets.token_hex(8)}{SUFFIX}"
        try:
            write_segment(path, keys, rows_N_D)
            self._open(path.name)
        except OSError as error:
            raise ArtifactProblem(_unwritten(path, error)) from error

    def _read(self, keys: Sequence[bytes]) -> list[NDArray[np.float32] | None]:
        places = self._places(keys)
        return [None if place is None else self._checked(*place) for place in places]

    def _checked(self, number: int, row: int) -> NDArray[np.float32] | None:
        segment = self._segments.get(number)
        if segment is None:
            return None
        try:
            return segment.row(row)
        except Damaged:
            self._drop(number)
            return None

    def _places(self, keys: Sequence[bytes]) -> list[tuple[int, int] | None]:
        wanted_N = np.frombuffer(b"".join(keys), "<u8").reshape(-1, KEY_BYTES // 8)[:, 0]
        places: list[tuple[int, int] | None] = [None] * len(keys)
        for run in self._runs:
            at_N = np.minimum(np.searchsorted(run.starts_N, wanted_N), len(run.starts_N) - 1)
            for item in np.flatnonzero(run.starts_N[at_N] == wanted_N).tolist():
                number, row = int(run.segments_N[at_N[item]]), int(run.rows_N[at_N[item]])
                if self._segments[number].keys_N[row].tobytes() == keys[item]:
                    places[item] = (number, row)
        return places

    def _look_around(self) -> bool:
        """Open the files that are new in the folder; say whether there were any."""
        new = [name for name in _listed(self._folder) if name not in self._names]
        for name in new:
            with contextlib.suppress(OSError):  # gone just now, or not readable: its rows count as missing
                self._open(name)
        return bool(new)

    def _open(self, name: str) -> None:
        self._names.add(name)
        try:
            segment = open_segment(self._folder / name)
        except Damaged:
            _delete(self._folder / name)
            return
        number = len(self._names)
        self._segments[number] = segment
        starts_N = segment.keys_N.view("<u8")[:, 0]
        rows_N = np.arange(len(starts_N), dtype=np.uint32)
        run = _Run(starts_N, np.full_like(rows_N, number), rows_N)
        self._runs.append(run.at(np.argsort(starts_N, kind="stable")))
        # Runs of like size are merged, so that there are few of them and each row is moved few times.
        while len(self._runs) > 1 and len(self._runs[-2].starts_N) <= 2 * len(self._runs[-1].starts_N):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(_merged(before, last))

    def _drop(self, number: int) -> None:
        """Forget a file in which something is wrong."""
        kept = [run.at(run.segments_N != number) for run in self._runs]
        self._runs = [run for run in kept if len(run.starts_N)]
        _delete(self._segments.pop(number).path)


def _merged(first: _Run, second: _Run) -> _Run:
    both = _Run(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))  # type: ignore[arg-type]
    return both.at(np.argsort(both.starts_N, kind="stable"))


def _listed(folder: Path) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(SUFFIX))
    return []


def _sweep(folder: Path) -> None:
    """Delete what processes left behind that died while they wrote."""
    for path in _temporary(folder):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFT_BEHIND_SECONDS:
                path.unlink()


def _temporary(folder: Path) -> Iterator[Path]:
    return folder.glob(f".*{SUFFIX}.*.tmp")


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _unwritten(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: the features in {path.parent} can not be kept. Free some space (that folder "
            "may be deleted, it is filled again), then type `workbench round resume`."
        )
    return (
        f"The features can not be kept in {path.parent}: {error.strerror or error}. Make the folder "
        "writable, then type `workbench round resume`."
    )
