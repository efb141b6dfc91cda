"""Pictures as tensors: upright, on white where they are transparent, one size, values from -1 to 1."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from workbench.domain.errors import ModelProblem, PoolProblem
from workbench.learning.calling import DOCTOR
from workbench.learning.encoders.protocol import Payload
from workbench.learning.encoders.reduction import reduced

MODES = {1: "L", 3: "RGB"}
THUMBNAIL = (16, 16)
COVERAGE_DIMENSIONS = 64


def build(
    *,
    size: int | Sequence[int] = (32, 32),
    channels: int = 3,
    transform: Callable[[Image.Image], Any] | None = None,
) -> "Pictures":
    """Build the encoder.

    Args:
        size: Height and width that every picture is resized to; one number for both.
        channels: 3 for colours, 1 for grey.
        transform: A user's own function from picture to tensor, instead of size and channels.

    Raises:
        ModelProblem: A value outside its range.
    """
    if channels not in MODES:
        raise ModelProblem(f"channels is {channels!r}; expected 1 (grey) or 3 (colours).")
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ModelProblem(f"size is {size!r}; expected height and width in pixels, as in [32, 32].")
    return Pictures(size=(sides[0], sides[1]), channels=channels, transform=transform)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Decodes the files that the payloads name."""

    size: tuple[int, int]
    channels: int
    transform: Callable[[Image.Image], Any] | None
    rows_at_once: int = 256

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode pictures as [B, channels, height, width], or as what the user's transform gives."""
        if self.transform is not None:
            return _stacked([_transformed(self.transform, payload["path"]) for payload in payloads])
        pixels = np.stack([_pixels(payload["path"], MODES[self.channels], self.size) for payload in payloads])
        values = torch.from_numpy(pixels).movedim(-1, 1).contiguous()
        return values.float().div_(127.5).sub_(1.0)

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        """Compute small grey copies, values from 0 to 1."""
        thumbnails = np.array([_pixels(payload["path"], "L", THUMBNAIL) for payload in payloads], np.float32)
        return thumbnails.reshape(len(payloads), THUMBNAIL[0] * THUMBNAIL[1]) / np.float32(255)

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:
        """Compute the principal components of small grey copies."""
        thumbnails = [self.plain(batch) for batch in batches if batch]
        if not thumbnails:
            return np.zeros((0, 1), np.float32)
        values_N_D = np.concatenate(thumbnails)
        return reduced(values_N_D - values_N_D.mean(0), COVERAGE_DIMENSIONS, seed)


def _pixels(path: str, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a picture as [height, width, channels]."""
    height, width = size
    picture = opened(path, mode, (2 * width, 2 * height))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(height, width, -1)


def opened(path: str, mode: str, least: tuple[int, int] | None) -> Image.Image:
    """Open a picture; large JPEG files are decoded no finer than ``least`` needs."""
    try:
        with Image.open(path) as file:
            if least is not None:
                file.draft(None, least)
            return _plain(ImageOps.exif_transpose(file), mode)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: Exception) -> PoolProblem:
    """Say what to do about a picture that is lost."""
    return PoolProblem(
        f"The picture {path} can not be read: {error}. It was in order when it was added: "
        "put the file back and type `workbench round resume`, or take the item out with "
        "`workbench pool remove KEY`."
    )


def _plain(picture: Image.Image, mode: str) -> Image.Image:
    """Bring a picture of any mode to 8 bits per channel, without transparency."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)


def _transformed(transform: Callable[[Image.Image], Any], path: str) -> Tensor:
    picture = opened(path, "RGB", None)
    try:
        tensor = transform(picture)
    except Exception as error:
        raise ModelProblem(
            f"Your transform raised {type(error).__name__} on {path}: {error}. Repair it. {DOCTOR}"
        ) from error
    if not isinstance(tensor, Tensor):
        raise ModelProblem(
            f"Your transform returned {type(tensor).__name__} for {path}, expected a torch.Tensor. "
            f"Let it end with one. {DOCTOR}"
        )
    return tensor


def _stacked(tensors: list[Tensor]) -> Tensor:
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        raise ModelProblem(
            f"Your transform returned tensors of different shapes ({', '.join(map(str, sorted(shapes)))}), "
            f"expected one. Let it resize to one size. {DOCTOR}"
        )
    return torch.stack(tensors)
