"""Parquet files beside the database: the pool's shards and each round's scores.

Every file is written under a temporary name, fsynced and renamed, so a file that is there is whole.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from workbench.domain.errors import ArtifactProblem

CONTENT = {"path": pa.string(), "text": pa.string(), "features": pa.list_(pa.float64())}
SCORE_COLUMNS = ("score", "predictive_entropy", "expected_entropy", "mutual_information", "confidence")
ROWS_PER_GROUP = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """An item as it lies in a shard. ``truth`` is what the source said, if it said anything."""

    key: str
    payload: Mapping[str, Any]
    sha256: str
    truth: str | None
    row: int


class Scores(NamedTuple):
    """The scores of part of a pool, row by row."""

    keys: list[str]
    rows_N: NDArray[Any]
    predicted_N: NDArray[Any]
    columns: dict[str, NDArray[Any]]


class PredictedRows(NamedTuple):
    """Rows of a shard that were scored, and the numbers of the classes that the model saw in them."""

    rows_N: NDArray[Any]
    predicted_N: NDArray[Any]


class SeenRows(NamedTuple):
    """Rows of a shard that were scored, their classes by the model, and its entropies in nats."""

    rows_N: NDArray[Any]
    predicted_N: NDArray[Any]
    entropy_N: NDArray[Any]


class ShardFacts(NamedTuple):
    """What the database remembers of a shard."""

    path: Path
    rows: int
    sha256: str


def write_shard(directory: Path, rows: Sequence[PoolRow], *, feature_names: Sequence[str] = ()) -> ShardFacts:
    """Write a pool shard, named by its hash over keys and contents: the same items give the same file."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.key}\0{row.sha256}\n".encode("utf-8", "surrogatepass"))
    name = next(iter(rows[0].payload))
    table = pa.table(
        {
            "key": pa.array([r.key for r in rows], pa.string()),
            "sha256": pa.array([r.sha256 for r in rows], pa.string()),
            "truth": pa.array([r.truth for r in rows], pa.string()),
            name: pa.array([r.payload[name] for r in rows], CONTENT[name]),
        }
    )
    path = directory / f"{digest.hexdigest()[:16]}.parquet"
    _write(path, table.replace_schema_metadata({"feature_names": json.dumps(list(feature_names))}))
    return ShardFacts(path, len(rows), digest.hexdigest())


def read_shard(path: Path, batch: int = 256) -> Iterator[list[PoolRow]]:
    """Stream a shard in batches.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    row = 0
    with _reading(path, "Type `workbench pool add` with the same source to write it again."):
        file = pq.ParquetFile(path)
        names = json.loads((file.schema_arrow.metadata or {}).get(b"feature_names", b"[]"))
        for records in file.iter_batches(batch_size=batch):
            found = enumerate(records.to_pylist())
            rows = [_pool_row(record, row + offset, names) for offset, record in found]
            row += len(rows)
            yield rows


def read_feature_names(path: Path) -> list[str]:
    """The columns of a shard of numbers; empty for other shards.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Type `workbench pool add` with the same source to write it again."):
        names: list[str] = json.loads((pq.read_schema(path).metadata or {}).get(b"feature_names", b"[]"))
        return names


def read_keys(path: Path) -> dict[str, str]:
    """Content hashes of a shard by key.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Type `workbench pool add` with the same source to write it again."):
        table = pq.read_table(path, columns=["key", "sha256"])
        return dict(zip(table["key"].to_pylist(), table["sha256"].to_pylist(), strict=True))


def write_scores(path: Path, scores: Scores, *, stamp: str, model: str = "") -> None:
    """Write the scores of one shard; ``stamp`` says what made them, ``model`` which model among it."""
    columns = {name: pa.array(scores.columns[name], pa.float32()) for name in SCORE_COLUMNS}
    table = pa.table(
        {
            "key": pa.array(scores.keys, pa.string()),
            "row": pa.array(scores.rows_N, pa.int64()),
            "predicted": pa.array(scores.predicted_N, pa.int32()),
            **columns,
        }
    )
    _write(path, table.replace_schema_metadata({"stamp": stamp, "model": model}))


def scores_stamp(path: Path) -> str | None:
    """What made this score file, or None when there is none that can be read."""
    return _noted(path, b"stamp")


def scores_model(path: Path) -> str | None:
    """Which model made this score file, or None when there is none that can be read."""
    return _noted(path, b"model")


def _noted(path: Path, name: bytes) -> str | None:
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return bytes(metadata.get(name, b"")).decode()


def read_scores(path: Path) -> Scores:
    """Read the scores of one shard.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Delete it and type `workbench round resume`; it will be made again."):
        table = pq.read_table(path)
        columns = {name: table[name].to_numpy() for name in SCORE_COLUMNS}
        return Scores(
            table["key"].to_pylist(), table["row"].to_numpy(), table["predicted"].to_numpy(), columns
        )


def predicted_rows(path: Path) -> PredictedRows:
    """Read of the scores of one shard only what the model saw in which rows.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Delete it and type `workbench round resume`; it will be made again."):
        table = pq.read_table(path, columns=["row", "predicted"])
        return PredictedRows(table["row"].to_numpy(), table["predicted"].to_numpy())


def seen_rows(path: Path) -> SeenRows:
    """Read of the scores of one shard what the model saw in which rows, and how unsure it was.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Delete it and type `workbench round resume`; it will be made again."):
        names = ["row", "predicted", "predictive_entropy"]
        return SeenRows(*(column.to_numpy() for column in pq.read_table(path, columns=names).columns))


def rows_of(path: Path, rows_N: NDArray[Any]) -> list[PoolRow]:
    """Read some rows of a shard, in the order asked for.

    Raises:
        ArtifactProblem: Missing or damaged.
    """
    with _reading(path, "Type `workbench pool add` with the same source to write it again."):
        table = pq.read_table(path)
        names = json.loads((table.schema.metadata or {}).get(b"feature_names", b"[]"))
        records = table.take(pa.array(rows_N, pa.int64())).to_pylist()
        return [_pool_row(record, int(row), names) for record, row in zip(records, rows_N, strict=True)]


def stamp_of(**facts: object) -> str:
    """A stamp from the facts that determine scores."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _pool_row(record: Mapping[str, Any], row: int, feature_names: Sequence[str]) -> PoolRow:
    payload = {name: record[name] for name in CONTENT if name in record}
    if feature_names:
        payload["names"] = list(feature_names)
    return PoolRow(
        key=record["key"], payload=payload, sha256=record["sha256"], truth=record["truth"], row=row
    )


@contextmanager
def _reading(path: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ArtifactProblem(f"{path} is missing. {advice}") from error
    except (OSError, pa.ArrowException) as error:
        raise ArtifactProblem(f"{path} can not be read: it is damaged. {advice}") from error


def _write(path: Path, table: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", row_group_size=ROWS_PER_GROUP)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtifactProblem(
            f"{path} can not be written: {error.strerror or error}. Nothing was changed; "
            "make room or mend the rights of that folder, then type the same command again."
        ) from error
