"""Who annotated how much, and how long it took."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.domain.annotators import typical_seconds
from workbench.domain.consensus import current
from workbench.domain.records import Annotation, Project
from workbench.storage.store import Transaction

NAME = "annotators"
TITLE = "Annotators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person. ``agreed`` counts answers that equal the label in force; seconds are of people."""

    annotator: str
    annotations: int
    skipped: int
    skip_rate: float | None
    invalid: int
    deleted: int
    agreed: int
    seconds: float
    median_seconds: float | None
    mean_seconds: float | None


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a person, by name."""
    labels = {label.item_id: label.value for label in tx.annotations.labels(project.id)}
    versions: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in tx.crowd.all(project.id):
        versions[annotation.annotator].append(annotation)
    return [_row(name, versions[name], labels) for name in sorted(versions)]


def _row(name: str, versions: Sequence[Annotation], labels: dict[int, str | None]) -> Row:
    present = current(versions)
    seconds = {a.external_id: a.seconds or 0.0 for a in versions}
    skipped = sum(a.skipped for a in present)
    typical = typical_seconds(present)
    return Row(
        annotator=name,
        annotations=len(present),
        skipped=skipped,
        skip_rate=skipped / len(present) if present else None,
        invalid=sum(a.problem is not None for a in present),
        deleted=len(seconds) - len(present),
        agreed=sum(labels.get(a.item_id) == a.label for a in present if a.label is not None),
        seconds=round(sum(seconds.values()), 2),
        median_seconds=typical.median,
        mean_seconds=typical.mean,
    )
