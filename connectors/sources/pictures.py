"""Pictures of a pool as browsers may be shown them: from the pool's own folders, and bounded in every way.

A path comes from a database, a file from anybody: neither is believed. Only regular files that truly lie in a
folder of the pool are read, only pictures are answered, and none that would fill the memory is decoded.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from connectors.errors import SourceError

if TYPE_CHECKING:
    from PIL.Image import Image

#: What every browser shows as it is.
SHOWN: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
#: What is decoded at all: not what calls other programs or holds programs, as EPS and SVG do, nor ICO, which
#: tells its size when it is unpacked.
DECODED: Final = (*SHOWN, "BMP", "TIFF", "PPM", "TGA", "JPEG2000", "AVIF")
LARGEST_BYTES: Final = 64 * 1024 * 1024
LARGEST_PIXELS: Final = 50_000_000
#: Smaller ones are kept pixel by pixel.
TINY: Final = 64


class Picture(NamedTuple):
    """What a browser is sent."""

    kind: str
    content: bytes


def read_guarded(path: str, roots: Iterable[Path]) -> bytes:
    """Read a file that lies in one of the folders.

    Raises:
        SourceError: It does not, leads out of them, is not there, is no regular file, or is too large. The
            words name no path: they are for anybody.
    """
    try:
        found = Path(path).resolve(strict=True)
        inside = Path(path).is_absolute() and any(found.is_relative_to(root) for root in _resolved(roots))
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceError("The picture's file is not there any more. Put it back to see it.") from error
    if not inside:
        raise SourceError(
            "The picture's file is not in a folder of the pool, or is a link that leads out of it. "
            "Name the folder under [storage] picture_folders if it may be shown."
        )
    return _read(found)


def as_picture(content: bytes, longest: int | None = None) -> Picture:
    """Make of a file's content what browsers show: as it is, or at most ``longest`` pixels wide and high.

    Raises:
        SourceError: It is no picture, is damaged, or has too many pixels.
    """
    image = _opened(content)
    if longest is None and image.format in SHOWN:
        return Picture(SHOWN[image.format], content)
    try:
        return _drawn(image, longest)
    except (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, MemoryError) as error:
        raise SourceError("The picture's file is damaged. Replace it to see it.") from error


def _resolved(roots: Iterable[Path]) -> Iterable[Path]:
    return (root.resolve() for root in roots if root.is_absolute() and root.is_dir())


def _read(found: Path) -> bytes:
    # Not waiting: whoever writes into a pipe may never come. Not following: it was no link a moment ago.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(found, flags)
        try:
            return _content(descriptor, found)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError("The picture's file can not be read. Look at its permissions.") from error


def _content(descriptor: int, found: Path) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise SourceError("What the picture's path leads to is no file.")
    if _place(descriptor) not in (None, found):
        raise SourceError("A folder above the picture's file was exchanged while it was opened.")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise SourceError(f"The picture's file is larger than the {LARGEST_BYTES:,} bytes that are shown.")
    return content


def _place(descriptor: int) -> Path | None:
    """Where an open file truly lies; None where the system does not say."""
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:
        return None


def _opened(content: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(content), formats=DECODED)
        except UnidentifiedImageError as error:
            raise SourceError("The file is no picture of a kind that is shown.") from error
        except Image.DecompressionBombError as error:
            raise SourceError(_too_many()) from error
        except (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, MemoryError) as error:
            raise SourceError("The picture's file is damaged. Replace it to see it.") from error
    if image.width * image.height > LARGEST_PIXELS:
        raise SourceError(_too_many())
    return image


def _too_many() -> str:
    return f"The picture has more than the {LARGEST_PIXELS:,} pixels that are shown. Make it smaller."


def _drawn(image: "Image", longest: int | None) -> Picture:
    from PIL import ImageOps

    if longest is not None:
        # A JPEG is decoded at a fraction of its size: quick, and little memory.
        image.draft("RGB", (longest * 2, longest * 2))
    upright = ImageOps.exif_transpose(image)
    has_holes = upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info
    plain = upright.convert("RGBA" if has_holes else "RGB")
    if longest is not None:
        plain.thumbnail((longest, longest))
    buffer = io.BytesIO()
    lossless = longest is None or max(plain.size) <= TINY
    plain.save(buffer, format="PNG" if lossless else "WEBP", quality=82)
    return Picture("image/png" if lossless else "image/webp", buffer.getvalue())
