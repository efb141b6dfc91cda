"""Read a backup: is every byte there, and back into a folder, whole or not at all."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from workbench.domain.errors import ArtifactProblem, DatabaseProblem
from workbench.storage.archive import MANIFEST, FileFacts, Manifest, check_name, damaged, pump, read_manifest
from workbench.storage.copy import database_contents
from workbench.storage.store import open_store


def verify_backup(path: Path) -> Manifest:
    """Read all of a backup and compare it with its manifest, the database table by table.

    Raises:
        ArtifactProblem: It is damaged, cut short, or no backup.
    """
    with tempfile.TemporaryDirectory(prefix="backup-") as scratch:
        return _unpack(path, Path(scratch))


def restore_backup(path: Path, folder: Path) -> Manifest:
    """Unpack a backup into a new folder, after every byte was compared.

    Raises:
        ArtifactProblem: It is damaged, or the folder holds something.
        OSError: It can not be written; nothing half-restored stays.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ArtifactProblem(f"{folder} is not empty; nothing was restored. Name a new folder with --to.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        manifest = _unpack(path, temporary)
        temporary.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return manifest


def _unpack(path: Path, folder: Path) -> Manifest:
    manifest: Manifest | None = None
    found: dict[str, FileFacts] = {}
    try:
        with tarfile.open(path, mode="r|") as tar:
            for member in tar:
                if manifest is not None or not member.isreg():
                    raise damaged(path, f"it holds {member.name!r}, which no backup does")
                content = tar.extractfile(member)
                assert content is not None
                if member.name == MANIFEST:
                    manifest = read_manifest(content.read(), path)
                else:
                    target = folder / check_name(member.name, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("xb") as file:
                        found[member.name] = pump(content, file.write)
                    target.chmod(member.mode & 0o777 | 0o600)
    except (tarfile.TarError, EOFError, FileExistsError) as error:
        raise damaged(path, "it is cut short or no tar file") from error
    if manifest is None:
        raise damaged(path, "it is cut short")
    _compare(path, manifest, found)
    if manifest.database not in found:
        # Its name is a stranger's word: taken at that, it could lead anywhere.
        raise damaged(path, "it holds no database")
    _compare_tables(path, folder / manifest.database, manifest)
    return manifest


def _compare(path: Path, manifest: Manifest, found: dict[str, FileFacts]) -> None:
    for name in sorted(manifest.files.keys() | found.keys()):
        if name not in found:
            raise damaged(path, f"'{name}' is missing")
        if manifest.files.get(name) != found[name]:
            raise damaged(path, f"'{name}' is not what it was")


def _compare_tables(path: Path, database: Path, manifest: Manifest) -> None:
    """Compare the tables too; a database of another revision has other columns, and its bytes are enough."""
    store = open_store(f"sqlite:///{database}")
    try:
        if store.status().current:
            tables = {name: tuple(content) for name, content in database_contents(store).items()}
            if tables != manifest.tables:
                raise damaged(path, "the rows of its database are not what they were")
    except DatabaseProblem as error:
        raise damaged(path, "its database can not be read") from error
    finally:
        store.close()
