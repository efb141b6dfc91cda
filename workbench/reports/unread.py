"""What a panel says that can not be read: why, in words, so that the other panels are read all the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.domain.errors import ArtifactProblem
from workbench.reports.panel import Finding, Panel, Reading, Table, Tone, View

if TYPE_CHECKING:
    from workbench.storage.facts.facts import Facts

#: What is raised by findings that nobody would have written: damaged by hand, or of another version.
DAMAGE = (
    ArtifactProblem,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    AssertionError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Why a panel has no rows."""

    problem: str


def read_panel(panel: Panel, facts: "Facts", view: View) -> Reading:
    """Read a panel; where the database holds something for it that can not be read, say so."""
    try:
        return panel.read(facts, view)
    except DAMAGE as error:
        return unread(panel.name, panel.title, error)


def unread(name: str, title: str, error: Exception) -> Reading:
    """Say why a panel can not be read."""
    words = str(error) if isinstance(error, ArtifactProblem) else _strange(error)
    return Reading(
        findings=(Finding(f"Not shown: {words}", Tone.BAD),),
        tables=(Table(name=name, title=title, row=Unread, rows=[Unread(problem=words)]),),
    )


def _strange(error: Exception) -> str:
    """In words what was found; its place is for whoever mends the program."""
    return (
        "what the database holds for this panel is damaged, or was written by another version "
        f"({type(error).__name__}: {error}). Type `workbench db status` and `workbench reconcile`; "
        "`workbench restore` brings a backup back."
    )
