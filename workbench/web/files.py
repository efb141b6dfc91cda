"""What is known of files that may change, or be exchanged, while they are served."""

from pathlib import Path
from typing import TypeAlias

from workbench.domain.errors import DatabaseProblem
from workbench.storage.store import Store

#: When a file was changed last, and its size.
Stamp: TypeAlias = tuple[int, int]
#: The same as long as it is the same file, whatever is written into it.
Identity: TypeAlias = tuple[int, int]


def stamp_of(path: Path) -> Stamp | None:
    """What changes with a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def identity(store: Store) -> Identity | None:
    """Which file a database is; None where a server keeps it.

    Raises:
        DatabaseProblem: There is none: to ask it anything would make one.
    """
    if store.file is None:
        return None
    try:
        found = store.file.stat()
    except OSError as error:
        raise DatabaseProblem(
            f"There is no database at {store.file} yet. Type `workbench pool add PATH` to begin."
        ) from error
    return found.st_dev, found.st_ino
