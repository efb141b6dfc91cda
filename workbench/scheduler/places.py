"""Where the projects are that a worker looks after."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from workbench.config.load import FILE_NAME
from workbench.domain.errors import ConfigProblem


def find_projects(paths: Sequence[Path]) -> list[Path]:
    """Every configuration that is named, or lies below a folder that is named; each once, in order.

    Raises:
        ConfigProblem: A path is not there.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise ConfigProblem(
                f"There is no {path}. Name a {FILE_NAME}, or a folder with such files below it."
            )
        configs = _below(path) if path.is_dir() else [path]
        found.update(dict.fromkeys(config.resolve() for config in configs))
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        if FILE_NAME in files:
            yield Path(place) / FILE_NAME
            # What lies below a project is its data: it may be very many files.
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # A link is not walked, it may lead anywhere; but a project that it names is one.
        linked = [Path(place) / name / FILE_NAME for name in folders if (Path(place) / name).is_symlink()]
        yield from (config for config in linked if config.is_file())
