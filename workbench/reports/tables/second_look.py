"""The items whose labels are most worth a second look."""

from collections import Counter
from dataclasses import dataclass

from workbench.domain.annotators import votes
from workbench.domain.records import Label, LabelStatus, Project
from workbench.storage.store import Transaction

NAME = "second_look"
TITLE = "Most worth a second look"
LONGEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item whose annotators disagree, or whose label is not certain; ``doubt`` is 1 − confidence."""

    item: str
    label: str
    doubt: float
    answers: str
    method: str


def rows(tx: Transaction, project: Project) -> list[Row]:
    """Those in most doubt first, then by key; labels in no doubt are not in it."""
    labels = [
        label
        for label in tx.annotations.labels(project.id)
        if label.status is not LabelStatus.WITHDRAWN and label.confidence < 1
    ]
    worst = sorted(labels, key=lambda label: (label.confidence, label.item_key))[:LONGEST]
    given = votes(
        a for found in tx.annotations.brief_of_items(x.item_id for x in worst).values() for a in found
    )
    return [_row(label, Counter(str(vote.label) for vote in given.get(label.item_id, ()))) for label in worst]


def _row(label: Label, counts: Counter[str]) -> Row:
    return Row(
        item=label.item_key,
        label="conflict" if label.value is None else label.value,
        doubt=round(1 - label.confidence, 6),
        answers=", ".join(f"{name} {count}" for name, count in sorted(counts.items())),
        method=label.method,
    )
