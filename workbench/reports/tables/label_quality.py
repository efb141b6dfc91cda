"""How sure the labels are: by whom they were decided, and how many of them may be wrong."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

from workbench.domain.records import Label, LabelStatus, Project
from workbench.storage.store import Transaction

NAME = "label_quality"
TITLE = "How sure the labels are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All labels of one method. ``doubts`` is the sum of 1 − confidence over the agreed ones."""

    method: str
    agreed: int
    conflicts: int
    withdrawn: int
    answers: float | None
    confidence: float | None
    doubts: float | None


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a method, by name."""
    labels: dict[str, list[Label]] = defaultdict(list)
    for label in tx.annotations.labels(project.id):
        labels[label.method].append(label)
    return [_row(method, labels[method]) for method in sorted(labels)]


def _row(method: str, labels: list[Label]) -> Row:
    agreed = [label for label in labels if label.status is LabelStatus.AGREED]
    return Row(
        method=method,
        agreed=len(agreed),
        conflicts=sum(label.status is LabelStatus.CONFLICT for label in labels),
        withdrawn=sum(label.status is LabelStatus.WITHDRAWN for label in labels),
        answers=fmean(len(label.annotations) for label in agreed) if agreed else None,
        confidence=fmean(label.confidence for label in agreed) if agreed else None,
        doubts=sum(1 - label.confidence for label in agreed) if agreed else None,
    )
