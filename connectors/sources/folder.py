"""A folder of images: nested or flat, any format that Pillow opens, each file really decoded once."""

import hashlib
import itertools
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from connectors.errors import SourceError
from connectors.sources.records import (
    BrokenItem,
    Content,
    Record,
    SourceItem,
    SourceOptions,
    SourceReading,
)

#: What operating systems leave behind beside the files that begin with a dot.
LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"})

#: What Pillow's decoders raise on damaged files, apart from its own two errors.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    EOFError,
    struct.error,
    zlib.error,
)


def open_folder(path: Path, options: SourceOptions) -> SourceReading:
    """Find the images of a folder; see `read_folder`.

    Raises:
        SourceError: There is no such folder, nothing in it, or an option that a folder does not have.
    """
    if options.label not in (None, "folders"):
        raise SourceError(
            f"Found label={options.label!r} for the image folder {path}; a folder has no columns. "
            "Give label='folders' to take the name of the first folder as the class, or no label."
        )
    if options.text is not None or options.features is not None or options.key is not None:
        raise SourceError(
            f"Found column names for {path}, which is a folder; expected images in it. "
            "Leave out the columns, or name one CSV or Parquet file instead of the folder."
        )
    records = read_folder(path, prefix=options.prefix, labels=options.label)
    return SourceReading(content=Content.IMAGE, location=str(path), records=records)


def read_folder(path: Path, *, prefix: str = "", labels: str | None = None) -> Iterator[Record]:
    """Yield every file of a folder in a fixed order: an item, or what is broken about it.

    Hidden files are skipped silently, links are followed, and each folder is read
    once however many links lead to it. Keys are paths relative to
    the folder with ``/`` between the parts.

    Args:
        path: The folder.
        prefix: Put before every key.
        labels: ``folders`` makes the name of the first folder below ``path`` the class.

    Raises:
        SourceError: There is no such folder, or no file in it.
    """
    root = Path(path).resolve()
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise SourceError(f"Found {found} at {root}; expected a folder of images. Check the path.")
    files = _walk(root, set())
    first = next(files, None)
    if first is None:
        raise SourceError(f"Found no file in {root}; expected images. Put some there or check the path.")
    return (_read(file, root, prefix, labels) for file in itertools.chain([first], files))


def _walk(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files below a folder, and the folders that can not be listed, sorted by name."""
    try:
        status = folder.stat()
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return
    visited.add(identity)
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in LITTER:
            continue
        if entry.is_dir():
            yield from _walk(entry, visited)
        else:
            yield entry


def _read(file: Path, root: Path, prefix: str, labels: str | None) -> Record:
    relative = file.relative_to(root)
    key = prefix + relative.as_posix()
    if not _is_unicode(str(file)):
        shown = key.encode("utf-8", "backslashreplace").decode()
        return BrokenItem(key=shown, reason="the file's name is not valid UTF-8; rename the file")
    reason = _unreadable(file)
    if reason is not None:
        return BrokenItem(key=key, reason=reason)
    try:
        with file.open("rb") as stream:
            _decode(stream)
            stream.seek(0)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return BrokenItem(key=key, reason=f"more than {Image.MAX_IMAGE_PIXELS} pixels; make it smaller")
    except UnidentifiedImageError:
        return BrokenItem(key=key, reason="not an image that Pillow can open")
    except DECODER_ERRORS as error:
        return BrokenItem(key=key, reason=f"a damaged image or one that can not be read: {error}")
    truth = relative.parts[0] if labels == "folders" and len(relative.parts) > 1 else None
    return SourceItem(key=key, payload={"path": file.as_posix()}, sha256=sha256, truth=truth)


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(file: Path) -> str | None:
    """Say what is wrong with a file before it is opened: opening a pipe would wait for ever."""
    if file.is_dir():
        return "a folder that can not be listed; check its permissions"
    if not file.exists():
        return "a link to nothing"
    if not file.is_file():
        return "not a regular file"
    if file.stat().st_size == 0:
        return "an empty file (0 bytes)"
    return None


def _decode(stream: BinaryIO) -> None:
    """Decode every pixel of the first frame; Pillow's notices on odd metadata are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(stream) as image:
            image.load()
