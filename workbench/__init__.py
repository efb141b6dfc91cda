"""The active-learning labeling workbench. ``open_project`` is the loop for notebooks and scripts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.notebook import open_project

__all__ = ["open_project"]


def __getattr__(name: str) -> object:
    # Late, so that `workbench --help` does not wait for torch.
    if name == "open_project":
        from workbench.notebook import open_project

        return open_project
    raise AttributeError(f"module 'workbench' has no attribute '{name}'")
