"""What people are called in a report: by name, or so that nobody can tell who they are."""

from collections.abc import Callable
from typing import TypeAlias

from workbench.domain.seeds import derive_seed

#: From an annotator's name to what is shown.
Names: TypeAlias = Callable[[str], str]


def open_names(name: str) -> str:
    """Everybody by name."""
    return name


def hidden_names(seed: int) -> Names:
    """Nobody by name: the same person has the same made-up name throughout a project."""

    def hide(name: str) -> str:
        return f"annotator {derive_seed(seed, 'pseudonym', name) % 0xFFFF:04x}"

    return hide
