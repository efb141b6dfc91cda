"""What a person should look at: conflicts, answers that can not become labels, labels taken back."""

from dataclasses import dataclass

from workbench.domain.consensus import current
from workbench.domain.records import LabelStatus, Project
from workbench.storage.store import Transaction

NAME = "attention"
TITLE = "Needs attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item and what is the matter with it."""

    item: str
    matter: str
    annotator: str


def rows(tx: Transaction, project: Project) -> list[Row]:
    """Conflicts and withdrawn labels first, then annotations that were kept but can not count."""
    labels = tx.annotations.labels(project.id)
    keys = {label.item_id: label.item_key for label in labels}
    found = [
        Row(item=label.item_key, matter=_words(label.status), annotator="")
        for label in labels
        if label.status is not LabelStatus.AGREED
    ]
    invalid = [a for a in current(tx.annotations.all(project.id)) if a.problem]
    keys.update(tx.pool.keys_of(a.item_id for a in invalid))
    found += [
        Row(item=keys[a.item_id], matter=f"answer kept, but not a label: {a.problem}", annotator=a.annotator)
        for a in invalid
    ]
    return found


def _words(status: LabelStatus) -> str:
    return "annotators disagree" if status is LabelStatus.CONFLICT else "its label was taken back"
