"""What a backup is: one tar file of the project's folder, and a manifest at its end that names every byte."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from workbench.domain.errors import ArtifactProblem

MANIFEST = "manifest.json"
FORMAT = 1
CHUNK = 1024 * 1024


class FileFacts(NamedTuple):
    """The size of a file and the hash of its bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What lies in a backup.

    Attributes:
        revision: The database's revision.
        database: Where the database lies in the folder; always SQLite, whatever it was copied from.
        directory: Where pool, scores and checkpoints lie in the folder.
        tables: Rows and digest of every table.
        files: Every file by its path in the folder.
    """

    made_at: str
    version: str
    project: str
    revision: str
    database: str
    directory: str
    tables: Mapping[str, tuple[int, str]]
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As it is kept."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1).encode()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(facts.size for facts in self.files.values())


def read_manifest(content: bytes, path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ArtifactProblem: It is none, or of a newer version.
    """
    try:
        found: dict[str, Any] = json.loads(content)
        if found.pop("format") != FORMAT:
            raise ArtifactProblem(
                f"{path} was made by a newer workbench. "
                "Type `pip install --upgrade active-labeling-workbench`."
            )
        files = {name: FileFacts(*facts) for name, facts in found.pop("files").items()}
        tables = {name: (int(rows), str(digest)) for name, (rows, digest) in found.pop("tables").items()}
        return Manifest(files=files, tables=tables, **found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "its manifest can not be read") from error


def check_name(name: str, path: Path) -> str:
    """Refuse a path that leads out of the folder.

    Raises:
        ArtifactProblem: It is absolute, or climbs.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name:
        raise damaged(path, f"it names the path {name!r}")
    return name


def damaged(path: Path, why: str) -> ArtifactProblem:
    """An error about a backup that can not be trusted."""
    return ArtifactProblem(f"{path} is damaged or no backup: {why}. Nothing was restored. Take another copy.")


def pump(source: IO[bytes], write: Callable[[bytes], object]) -> FileFacts:
    """Read a file to its end, hand it on, and say what it was."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        write(chunk)
    return FileFacts(size, digest.hexdigest())
