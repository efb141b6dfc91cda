"""What a source yields: plain records, one per item, none held longer than its chunk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias


class Content(StrEnum):
    """What the items of a source are; names the key of their payload, but for images (``path``)."""

    IMAGE = "image"
    TEXT = "text"
    FEATURES = "features"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceItem:
    """One item that can be labeled.

    Attributes:
        key: Names the item in the project, the same in every reading of the same source.
        payload: ``{"path": "/absolute/posix/path"}``, ``{"text": "…"}`` or ``{"features": [1.0, …]}``.
        sha256: Of the file's bytes, of the text in UTF-8, or of the numbers as little-endian doubles;
            equal exactly when two items are the same to a model.
        truth: The class, where the source knows it.
    """

    key: str
    payload: Mapping[str, Any]
    sha256: str
    truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenItem:
    """One item that can not be labeled, and why; the rest of the source is read on."""

    key: str
    reason: str


Record: TypeAlias = SourceItem | BrokenItem


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What a user may say about a source; which of it makes sense depends on the kind of source.

    Attributes:
        text: The column that holds the text.
        features: The columns that hold the numbers.
        images: The source is a folder of images.
        key: The column that names the items.
        label: The column that holds the class, or ``folders`` for an image folder.
        prefix: Put before every key.
        encoding: Of a CSV file.
        separator: Between the cells of a CSV file; None takes it from the file's name.
    """

    text: str | None = None
    features: tuple[str, ...] | None = None
    images: bool = False
    key: str | None = None
    label: str | None = None
    prefix: str = ""
    encoding: str = "utf-8"
    separator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """A source that was found and fits its options; ``records`` can be gone through once."""

    content: Content
    location: str
    records: Iterator[Record]
