"""Steps on a database of every kind, and rounds of a small project that is played in a second."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.faults.little_project import PEOPLE, fill, write_config
from tests.faults.working import everybody, finish
from tests.workbench.storage.conftest import empty_database_url, store
from workbench.bootstrap import open_parts
from workbench.steps.parts import Parts

__all__ = ["empty_database_url", "store"]

Played = Callable[..., Parts]


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    """Plays rounds of a small project, as often as asked, and gives its parts."""
    with EmbeddedLabeler(tmp_path / "labeler.db") as labeler:
        answer = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
        closers = []

        def play(
            rounds: int = 2, *, acquisition: str = "control_share = 0.5", folder: str = "project"
        ) -> Parts:
            config = write_config(tmp_path / folder, folder, "embedded", batch=14)
            before = 'selector = "power"\ncontrol_share = 0.25'
            assert before in config.read_text()
            config.write_text(config.read_text().replace(before, acquisition))
            fill(config)
            opened = open_parts(config, labeler=labeler)
            parts = opened.__enter__()
            closers.append(opened)
            finish(parts, answer, rounds)
            return parts

        yield play
        for opened in closers:
            opened.__exit__(None, None, None)
