"""The kinds of sources, in one table; other distributions add theirs by the same door.

A kind registers under the entry point group ``active_labeling_workbench.sources``: the entry's name is the
kind's name, what it loads is a `SourceKind`.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from connectors.errors import SourceError
from connectors.sources.folder import open_folder
from connectors.sources.records import SourceOptions, SourceReading
from connectors.sources.table import TABLE_SUFFIXES, open_table

ENTRY_POINT_GROUP = "active_labeling_workbench.sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One way to read items.

    Attributes:
        name: How a user asks for it.
        summary: What it reads, in one sentence.
        accepts: Whether a path is probably of this kind; asked in the order of the catalog.
        open: Checks everything that can be checked at once, then streams.
    """

    name: str
    summary: str
    accepts: Callable[[Path], bool]
    open: Callable[[Path, SourceOptions], SourceReading]


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLE_SUFFIXES)


BUILT_IN = (
    SourceKind(
        name="folder",
        summary="Images in a folder, nested or flat, in any format that Pillow opens.",
        accepts=Path.is_dir,
        open=open_folder,
    ),
    SourceKind(
        name="table",
        summary="Rows of a CSV (also .tsv, .gz) or Parquet file: a column of text or columns of numbers.",
        accepts=_is_table,
        open=open_table,
    ),
)


def source_kinds() -> dict[str, SourceKind]:
    """List every kind by name: the built-in ones, then those of other distributions."""
    kinds = {kind.name: kind for kind in BUILT_IN}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        kinds.setdefault(entry.name, _load(entry.load(), entry.name))
    return kinds


def _load(loaded: object, name: str) -> SourceKind:
    if not isinstance(loaded, SourceKind):
        raise SourceError(
            f"Found {loaded!r} under the entry point {name!r}; expected a SourceKind. "
            f"Repair or remove the distribution that registers it in {ENTRY_POINT_GROUP}."
        )
    return loaded


def open_source(
    path: Path | str,
    *,
    text: str | None = None,
    features: Iterable[str] | None = None,
    images: bool = False,
    key: str | None = None,
    label: str | None = None,
    prefix: str = "",
    encoding: str = "utf-8",
    separator: str | None = None,
    kind: str | None = None,
) -> SourceReading:
    """Find the items at a path; what kind of source it is says the path, or ``kind``.

    Everything that concerns the whole source is checked here; what concerns one item comes as a
    `BrokenItem` among the records.

    Raises:
        SourceError: There is nothing at the path, or it does not fit what was asked.
    """
    options = SourceOptions(
        text=text,
        features=None if features is None else tuple(features),
        images=images,
        key=key,
        label=label,
        prefix=prefix,
        encoding=encoding,
        separator=separator,
    )
    path = Path(path).expanduser()
    return _choose(path, images, kind).open(path, options)


def _choose(path: Path, images: bool, name: str | None) -> SourceKind:
    kinds = source_kinds()
    if name is not None:
        return _named(kinds, name)
    if images:
        return kinds["folder"]
    if not path.exists():
        raise SourceError(f"Found nothing at {path}; expected a folder of images or a table. Check the path.")
    for kind in kinds.values():
        if kind.accepts(path):
            return kind
    raise SourceError(
        f"Found {path.name}, whose ending says nothing; expected a folder of images or a file that ends in "
        f"{', '.join(TABLE_SUFFIXES)}. Convert or rename it."
    )


def _named(kinds: dict[str, SourceKind], name: str) -> SourceKind:
    if name in kinds:
        return kinds[name]
    near = difflib.get_close_matches(name, kinds, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SourceError(f"Found the source kind {name!r}; known are: {', '.join(kinds)}.{hint}")
