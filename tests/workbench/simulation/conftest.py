"""Rounds of a small project whose truth is known."""

from tests.workbench.steps.conftest import played

__all__ = ["played"]
