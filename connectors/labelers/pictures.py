"""Ways to show a picture in Label Studio: inside the task itself, or as a file that its server shows.

The third way, an address that annotators' browsers can reach, needs nothing of this file: it must only be
served with ``Access-Control-Allow-Origin``, because Label Studio's page fetches pictures by script.
"""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from connectors.errors import SourceError

if TYPE_CHECKING:
    from PIL.Image import Image

#: Larger pictures swell the labeler's database and every answer it gives.
LARGEST_INLINE: Final = 500_000
#: What every browser shows as it is.
SHOWN: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
KEPT_BY_PNG: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
TURNED_TO_RGB: Final = frozenset({"CMYK", "YCbCr", "HSV", "LAB", "RGBX"})


def inline_picture(path: Path, max_bytes: int = LARGEST_INLINE) -> str:
    """Write a picture as a ``data:`` address that holds all of it.

    What browsers show is taken as it is, other formats such as TIFF, BMP and PPM become PNG.

    Raises:
        SourceError: The file is missing, is no picture, or is larger than ``max_bytes``.
    """
    with _opened(path) as image:
        kind = SHOWN.get(image.format or "")
        content = path.read_bytes() if kind else _png(image, path)
    if len(content) > max_bytes:
        raise SourceError(
            f"{path} takes {len(content):,} bytes, more than the {max_bytes:,} that a task may carry inside. "
            "Raise the limit, make the pictures smaller, or show them another way: as local files of the "
            "Label Studio server, or served at an address that the annotators' browsers reach."
        )
    return f"data:{kind or 'image/png'};base64,{base64.b64encode(content).decode('ascii')}"


def as_png(path: Path) -> bytes:
    """Turn a picture of any readable format into PNG, upright.

    Raises:
        SourceError: The file is missing or is no picture that can be turned.
    """
    with _opened(path) as image:
        return _png(image, path)


def local_files_address(path: Path, document_root: Path) -> str:
    """Write the address under which Label Studio shows a file below its document root.

    Raises:
        SourceError: The file is not below the root.
    """
    root, file = document_root.resolve(), path.resolve()
    if not file.is_relative_to(root) or file.parent == root:
        raise SourceError(
            f"{file} is not in a folder below {root}, the document root of Label Studio's local files. Move "
            "the pictures into a folder there, or set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT above them."
        )
    return f"/data/local-files/?d={quote(file.relative_to(root).as_posix())}"


def _opened(path: Path) -> "Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise SourceError(f"{path} is not a picture in a known format. Convert it to PNG or JPEG.") from error
    except OSError as error:
        raise SourceError(f"{path} can not be read ({error.strerror}). Check the path.") from error


def _png(image: "Image", path: Path) -> bytes:
    from PIL import ImageOps

    try:
        upright = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError) as error:
        raise SourceError(f"{path} is damaged: it ends too early or holds nonsense. Replace it.") from error
    if upright.mode in TURNED_TO_RGB:
        upright = upright.convert("RGB")
    if upright.mode not in KEPT_BY_PNG:
        raise SourceError(
            f"{path} has pixels of kind {upright.mode!r} that browsers can not show. Convert it to 8-bit PNG."
        )
    buffer = io.BytesIO()
    upright.save(buffer, format="PNG")
    return buffer.getvalue()
