"""Make a backup of a whole project while it is worked on: the database at one moment, then the files.

Files that the database names are written before it names them and never changed, so those of that moment are
all there. What another process of the project wrote since is in the backup too, and is found by the next
`tell` or `resume`.
"""

import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import sqlalchemy as sa

from workbench.domain.errors import ArtifactProblem
from workbench.storage.archive import MANIFEST, FileFacts, Manifest, pump
from workbench.storage.copy import Copied, copy_database
from workbench.storage.store import Store, open_store
from workbench.storage.tables import pool_shard

SQLITE = b"SQLite format 3\x00"
DATABASE = "workbench.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a project's parts lie.

    Attributes:
        config: The configuration's file.
        directory: Pool, scores, checkpoints.
        database: Where the configuration says its SQLite file is; None if it is another kind.
        left_out: Folders below ``directory`` that can be made again.
    """

    project: str
    config: Path
    directory: Path
    database: Path | None
    left_out: frozenset[str] = frozenset()


def make_backup(store: Store, places: Places, path: Path, *, now: datetime) -> tuple[Manifest, Copied]:
    """Write a backup to a temporary name, flush it and rename it: it is there whole, or not at all.

    Raises:
        DatabaseProblem: The database can not be read.
        ArtifactProblem: There is a file of that name, or a file of the pool is missing.
        OSError: It can not be written.
    """
    if path.exists():
        raise ArtifactProblem(f"{path} is there already, and no backup is overwritten. Name another file.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as scratch:
            found = _write(store, places, temporary, Path(scratch), now)
        temporary.replace(path)
        return found
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _write(
    store: Store, places: Places, temporary: Path, scratch: Path, now: datetime
) -> tuple[Manifest, Copied]:
    copied = _copy(store, scratch / DATABASE, now)
    root = places.config.parent
    manifest = Manifest(
        made_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        version=version("active-labeling-workbench"),
        project=places.project,
        revision=str(store.status().found),
        database=_inside(places.database, root, DATABASE),
        directory=_inside(places.directory, root, "data"),
        tables={name: (content.rows, content.digest) for name, content in copied.tables.items()},
    )
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            files = {
                manifest.database: _add(tar, scratch / DATABASE, manifest.database),
                places.config.name: _add(tar, places.config, places.config.name),
            }
            files |= _add_all(tar, places, manifest.directory, scratch)
            _check_pool(scratch / DATABASE, manifest.directory, files)
            manifest = replace(manifest, files=files)
            content = manifest.to_bytes()
            tar.addfile(_info(MANIFEST, len(content), now.timestamp()), BytesIO(content))
        file.flush()
        os.fsync(file.fileno())
    return manifest, copied


def _copy(store: Store, path: Path, now: datetime) -> Copied:
    target = open_store(f"sqlite:///{path}")
    try:
        return copy_database(store, target, now=now)
    finally:
        target.close()


def _inside(path: Path | None, root: Path, otherwise: str) -> str:
    """Where something lies in the project's folder, or where it is put when it lies elsewhere."""
    if path is None or not path.resolve().is_relative_to(root.resolve()):
        return otherwise
    return path.resolve().relative_to(root.resolve()).as_posix()


def _add_all(tar: tarfile.TarFile, places: Places, prefix: str, scratch: Path) -> dict[str, FileFacts]:
    files: dict[str, FileFacts] = {}
    for path in _files(places):
        name = f"{prefix}/{path.relative_to(places.directory).as_posix()}"
        with suppress(FileNotFoundError):
            files[name] = _add(tar, _still(path, scratch), name)
    return files


def _files(places: Places) -> Iterator[Path]:
    """Every file of the project's directory but what is under way or can be made again."""
    for path in sorted(places.directory.rglob("*")):
        parts = path.relative_to(places.directory).parts
        own = places.database is not None and path.resolve() == places.database.resolve()
        temporary = path.name.startswith(".") or path.name.endswith(("-wal", "-shm", "-journal", ".tmp"))
        if path.is_file() and not temporary and not own and parts[0] not in places.left_out:
            yield path


def _still(path: Path, scratch: Path) -> Path:
    """A copy of one moment of a file that is written to in place; other files as they are."""
    with path.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            return path
    copy = scratch / "still.db"
    copy.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30.0)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def _add(tar: tarfile.TarFile, path: Path, name: str) -> FileFacts:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        facts = pump(file, lambda _chunk: None)
        file.seek(0)
        tar.addfile(_info(name, facts.size, status.st_mtime, status.st_mode), file)
    return facts


def _info(name: str, size: int, changed: float, mode: int = 0o600) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(changed), mode & 0o777
    return info


def _check_pool(database: Path, directory: str, files: dict[str, FileFacts]) -> None:
    """Refuse a backup without a file of the pool: nothing else holds the items."""
    store = open_store(f"sqlite:///{database}")
    with store.engine.connect() as connection:
        uris = connection.execute(sa.select(pool_shard.c.uri)).scalars().all()
    store.close()
    missing = [uri for uri in uris if f"{directory}/{uri}" not in files]
    if missing:
        raise ArtifactProblem(
            f"The pool's file {missing[0]} is missing, and a backup without it could not be worked on. "
            "Type `workbench pool add` with the same source: it writes the same file again."
        )
