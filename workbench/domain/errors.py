"""Everything that can go wrong in the workbench, as a tree.

WorkbenchError
├── ConfigProblem         workbench.toml is missing or has faults; all of them in one message
├── ProjectProblem        no such project, or one that does not match its configuration
├── DatabaseProblem       the database can not be reached, or is at another revision
│   └── DatabaseAway      a lost connection, a lock, a conflict: the same may succeed a moment later
├── PoolProblem           nothing to choose from, keys twice, items that are held out
├── RoundProblem          a move that the round's state does not allow
│   ├── RoundBusy         another process holds the round's lease
│   └── RoundOpen         a round is open already; one at a time
├── BudgetExhausted       the batch would overrun a hard cap
├── BudgetProblem         a term of the budget that can not be changed so; all faults in one message
├── ModelProblem          a model that can not be imported, built, trained or asked
├── ArtifactProblem       a checkpoint or score file that is missing, damaged or can not be written
├── TokenProblem          no such key to the dashboard, or one of that name already
└── DemoProblem           the demonstration can not run here

Each message says what was found, what was expected and what to type next.
"""

from collections.abc import Mapping


class WorkbenchError(Exception):
    """The base of all errors that the product raises on purpose."""


class ConfigProblem(WorkbenchError):
    """``workbench.toml`` is missing or has faults."""


class ProjectProblem(WorkbenchError):
    """No such project, or one that does not match its configuration."""


class DatabaseProblem(WorkbenchError):
    """The database can not be reached, or is at another revision."""


class DatabaseAway(DatabaseProblem):
    """The database is away, locked or in conflict: what was tried may be tried again by itself."""


class PoolProblem(WorkbenchError):
    """The pool can not give what was asked."""


class RoundProblem(WorkbenchError):
    """A move that the round's state does not allow."""


class RoundBusy(RoundProblem):
    """Another process holds the round's lease."""


class RoundOpen(RoundProblem):
    """A round is open already; there is one at a time."""


class BudgetExhausted(WorkbenchError):
    """The batch would overrun a hard cap."""


class BudgetProblem(WorkbenchError):
    """Terms of the budget that can not be changed so. ``faults`` says what is wrong with each key."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        lines = "\n".join(f"  - {key}: {words}" for key, words in faults.items())
        super().__init__(f"Nothing was changed:\n{lines}\n`workbench budget show` says what holds now.")


class ModelProblem(WorkbenchError):
    """A model that can not be imported, built, trained or asked."""


class ArtifactProblem(WorkbenchError):
    """A checkpoint or score file that is missing, damaged or can not be written."""


class DemoProblem(WorkbenchError):
    """The demonstration can not run here."""


class TokenProblem(WorkbenchError):
    """No such key to the dashboard, or one of that name already."""
