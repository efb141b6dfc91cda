"""What every step is given: the built parts of one project."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.labelers.protocol import Labeler
from workbench.config.model import Config
from workbench.domain.records import Project
from workbench.domain.rounds import Round
from workbench.learning.learner import Learner
from workbench.storage.store import Store

#: Says how far a piece of work has come: done, total.
Report = Callable[[int, int], None]
#: Opens a progress bar under a name.
Progress = Callable[[str], AbstractContextManager[Report]]
#: Turns an item's payload into what an annotator sees: an address or a text. Given the item's key too.
Present = Callable[[str, Mapping[str, Any]], str]

LEASE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One project, ready to work on. Built in ``bootstrap``, used by the steps."""

    store: Store
    project: Project
    config: Config
    directory: Path
    labeler: Labeler
    learner: Learner
    present: Present
    owner: str
    progress: Progress

    def round_key(self, current: Round) -> str:
        """How this round's tasks are marked at the labeler."""
        return f"{current.key}-{self.project.uid}"

    def scores_directory(self, current: Round) -> Path:
        """Where this round's scores lie."""
        return self.directory / "scores" / current.key

    def renew(self, held: Round) -> None:
        """Hold the lease longer; fails when it was lost."""
        with self.store.begin() as tx:
            tx.rounds.renew(held, LEASE_SECONDS)
