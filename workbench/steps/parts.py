"""What every step is given: the built parts of one project."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.labelers.protocol import Labeler
from workbench.config.model import Config
from workbench.domain.records import PoolShard, Project
from workbench.domain.rounds import LEASE_SECONDS, Round
from workbench.steps.heartbeat import Progress, Report, Watch
from workbench.storage.store import Store

if TYPE_CHECKING:
    # It brings torch: whoever only names these things does without.
    from workbench.learning.learner import Learner

#: Turns an item's payload into what an annotator sees: an address or a text. Given the item's key too.
Present = Callable[[str, Mapping[str, Any]], str]

__all__ = ["LEASE_SECONDS", "Parts", "Present", "Progress", "Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One project, ready to work on. Built in ``bootstrap``, used by the steps."""

    store: Store
    project: Project
    config: Config
    directory: Path
    labeler: Labeler
    learner: "Learner"
    present: Present
    owner: str
    progress: Progress
    #: Knows whether the lease that this thread works under was lost.
    watch: Watch = field(default_factory=Watch)
    lease_seconds: float = LEASE_SECONDS
    #: What a labeler that calls us shows, so that we know it is our labeler.
    webhook_secret: str | None = field(default=None, repr=False)

    def round_key(self, current: Round) -> str:
        """How this round's tasks are marked at the labeler."""
        return f"{current.key}-{self.project.uid}"

    def scores_directory(self, current: Round) -> Path:
        """Where this round's scores lie."""
        return self.directory / "scores" / current.key

    def scores_file(self, current: Round, shard: PoolShard) -> Path:
        """Where the scores of one shard lie."""
        return self.scores_directory(current) / f"part-{shard.number:05d}.parquet"

    def renew(self, held: Round) -> None:
        """Hold the lease for its full length from now.

        Raises:
            RoundBusy: It was lost.
        """
        self.watch.check()
        self.store.insist(lambda tx: tx.rounds.renew(held, self.lease_seconds))
