"""Pictures of items: read from the pool's own folders, answered so that a browser can only look at them."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import SourceError
from connectors.sources.pictures import Picture, as_picture, read_guarded
from workbench.domain.records import Item, Project
from workbench.storage.store import Transaction

#: What is sent is a picture and nothing else: opened by itself it runs nothing, loads nothing and is no page.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": 'inline; filename="picture"',
}
#: Decoding takes memory: a few at a time, whoever asks.
AT_ONCE = 2
#: A folder of another machine may stop answering: whoever waits for it holds a thread that pages need.
PATIENCE_SECONDS = 20.0


def pool_folders(tx: Transaction, project: Project) -> tuple[Path, ...]:
    """The folders that were added to the pool."""
    return tuple(Path(source) for source in tx.pool.sources(project.id))


@dataclass(frozen=True, slots=True)
class Showing:
    """Reads and decodes pictures."""

    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    def show(
        self, item: Item, folders: Sequence[Path], *, longest: int | None = None, exact: bool = True
    ) -> Picture:
        """The item's picture, at most ``longest`` pixels wide and high.

        Args:
            exact: Only if the file is still what was added to the pool.

        Raises:
            SourceError: It has none, or it is not one that is shown.
        """
        path = item.payload.get("path")
        if not isinstance(path, str):
            raise SourceError("This item is no picture.")
        with self._turn():
            content = read_guarded(path, folders)
            if exact and hashlib.sha256(content).hexdigest() != item.sha256:
                raise SourceError("The picture's file has changed since it was added to the pool.")
            return as_picture(content, longest)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            raise SourceError("Too many pictures are asked for, or their folder does not answer. Look again.")
        try:
            yield
        finally:
            self._turns.release()
