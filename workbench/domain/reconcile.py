"""What a comparison of database and labeler can find, and what becomes of it.

A finding is fixed, could be fixed, needs a person, or is as it is meant to be and left alone. What is neither
fixed nor meant to be is the difference; it is 0 when both say the same.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

#: Under which name the outcome is kept for reports.
DIAGNOSTIC = "reconcile"


class Kind(StrEnum):
    """What two books can disagree about; ``MEANING`` says each in a sentence."""

    PROJECT = "project"
    CLASSES = "classes"
    CONTROL = "control"
    SETTINGS = "settings"
    RELEASE = "release"
    UNSENT = "unsent"
    UNPLANNED = "unplanned"
    MISSING = "missing"
    UNLINKED = "unlinked"
    DOUBLED = "doubled"
    WITHDRAWN = "withdrawn"
    OUT_OF_ORDER = "out-of-order"
    CONTENT = "content"
    UNREAD = "unread"
    EDITED = "edited"
    DELETED = "deleted"
    MISREAD = "misread"
    STATE = "state"
    LABEL = "label"
    ORPHANED = "orphaned"
    FOREIGN = "foreign"
    OTHER_DATABASE = "other-database"
    CURSOR = "cursor"


MEANING = {
    Kind.PROJECT: "The project is gone at the labeler, or workbench.toml names another one.",
    Kind.CLASSES: "A class was renamed, removed or added by hand in the labeling interface.",
    Kind.CONTROL: "The labeling interface asks under another tag, or can not be read at all.",
    Kind.SETTINGS: "Overlap, order of serving or display of predictions were changed by hand.",
    Kind.RELEASE: "Another model version is served than that of the open round.",
    Kind.UNSENT: "A round has not been sent to the labeler yet.",
    Kind.UNPLANNED: "An item was selected, and no task was planned for it.",
    Kind.MISSING: "A task that waits for an answer is not at the labeler.",
    Kind.UNLINKED: "The task is at the labeler under another id than the database knows.",
    Kind.DOUBLED: "There are several tasks for one item and round.",
    Kind.WITHDRAWN: "A task of a cancelled round is still at the labeler, or its end was not noted.",
    Kind.OUT_OF_ORDER: "A waiting task carries another place in the queue, or another model version.",
    Kind.CONTENT: "What the task shows is not what the item holds.",
    Kind.UNREAD: "There is an annotation that has not been read yet.",
    Kind.EDITED: "There is a newer version of an annotation.",
    Kind.DELETED: "An annotation is no longer there.",
    Kind.MISREAD: "An annotation was kept as invalid under a wrong labeling interface, and is valid now.",
    Kind.STATE: "The state of a task contradicts its annotations.",
    Kind.LABEL: "A label is not what its annotations say.",
    Kind.ORPHANED: "The task was deleted at the labeler after it was answered; answers and label are kept.",
    Kind.FOREIGN: "A task was made by somebody else.",
    Kind.OTHER_DATABASE: "A task belongs to another database of this product.",
    Kind.CURSOR: "The labeler's clock is, or was, ahead of ours.",
}


class Outcome(StrEnum):
    """What became of a finding."""

    FIXED = "fixed"
    #: Nobody asked for it yet.
    FIXABLE = "with --fix"
    PERSON = "needs a person"
    #: As it is meant to be; reported, never touched.
    LEFT = "left alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement.

    Attributes:
        found: What is there and what was expected.
        action: What is done about it, or what to type.
        task: The labeler's id of the task, where one task is meant.
    """

    kind: Kind
    outcome: Outcome
    found: str
    action: str
    round: int | None = None
    item: str | None = None
    task: str | None = None

    def fixed(self) -> "Finding":
        """The same, done."""
        return replace(self, outcome=Outcome.FIXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Everything that was found."""

    findings: tuple[Finding, ...]
    #: How many tasks of ours were compared, and how many the labeler holds.
    tasks_here: int = 0
    tasks_there: int = 0

    @property
    def difference(self) -> int:
        """What is neither fixed nor meant to be."""
        return sum(f.outcome in (Outcome.FIXABLE, Outcome.PERSON) for f in self.findings)

    @property
    def needs_person(self) -> int:
        """What no command mends."""
        return sum(finding.outcome is Outcome.PERSON for finding in self.findings)

    def content(self) -> dict[str, Any]:
        """What is kept for reports: counts, and how many of each outcome and kind."""
        counts = Counter((str(finding.outcome), str(finding.kind)) for finding in self.findings)
        return {
            "difference": self.difference,
            "needs_person": self.needs_person,
            "tasks_here": self.tasks_here,
            "tasks_there": self.tasks_there,
            "found": [[*names, n] for names, n in sorted(counts.items())],
        }

    def summary(self) -> str:
        """One line for the audit trail; begins with the difference."""
        counts = Counter((finding.outcome, finding.kind) for finding in self.findings)
        words = [
            f"{outcome}: " + ", ".join(f"{n} {kind}" for (o, kind), n in counts.items() if o is outcome)
            for outcome in Outcome
            if any(o is outcome for o, _ in counts)
        ]
        compared = f"{self.tasks_here} tasks here, {self.tasks_there} at the labeler"
        return "; ".join([f"difference {self.difference} ({compared})", *words])


def in_words(findings: Sequence[Finding]) -> str:
    """Say what was done about findings of one kind, naming the first few."""
    items = list(dict.fromkeys(finding.item for finding in findings if finding.item is not None))
    some = f" ({', '.join(items[:5])}{', …' if len(items) > 5 else ''})" if items else ""
    actions = ", ".join(dict.fromkeys(finding.action for finding in findings[:3]))
    return f"{findings[0].kind}: {len(findings)}{some}: {actions}"


def of_kinds(findings: Iterable[Finding], *kinds: Kind) -> list[Finding]:
    """Those of some kinds."""
    return [finding for finding in findings if finding.kind in kinds]
