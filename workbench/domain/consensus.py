"""From annotations to a label. Pure, and independent of the order in which annotations arrive."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from workbench.domain.records import Annotation, LabelStatus, TaskState


class Consensus(NamedTuple):
    """What a set of annotations says together."""

    value: str | None
    status: LabelStatus
    confidence: float
    annotations: tuple[str, ...]


def current(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Keep the newest version of every annotation, without those that were deleted."""
    newest: dict[str, Annotation] = {}
    for annotation in annotations:
        known = newest.get(annotation.external_id)
        if known is None or _age(annotation) > _age(known):
            newest[annotation.external_id] = annotation
    return sorted((a for a in newest.values() if not a.deleted), key=lambda a: a.external_id)


def usable(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Keep what can vote: one annotation a person (the newest), with a valid label, not skipped."""
    votes: dict[str, Annotation] = {}
    for annotation in sorted(current(annotations), key=lambda a: (a.updated_at, a.external_id)):
        if annotation.label is not None and not annotation.skipped and annotation.problem is None:
            votes[annotation.annotator] = annotation
    return sorted(votes.values(), key=lambda a: a.external_id)


def majority(annotations: Iterable[Annotation]) -> Consensus:
    """Take the label with the most votes; a tie is a conflict and gives no label.

    The confidence is the winner's share of the votes, between 0 and 1.
    """
    votes = usable(annotations)
    sources = tuple(vote.external_id for vote in votes)
    if not votes:
        return Consensus(None, LabelStatus.WITHDRAWN, 0.0, ())
    counts = Counter(vote.label for vote in votes).most_common()
    winner, count = counts[0]
    share = count / len(votes)
    if len(counts) > 1 and counts[1][1] == count:
        return Consensus(None, LabelStatus.CONFLICT, share, sources)
    return Consensus(winner, LabelStatus.AGREED, share, sources)


def task_state(annotations: Iterable[Annotation], overlap: int) -> TaskState:
    """Say where a task at the labeler stands, given all versions of its annotations."""
    present = current(annotations)
    if len(usable(present)) >= overlap:
        return TaskState.LABELED
    if any(a.problem for a in present):
        return TaskState.INVALID
    if any(a.skipped for a in present):
        return TaskState.SKIPPED
    return TaskState.OPEN


def _age(annotation: Annotation) -> tuple[float, bool]:
    return annotation.updated_at.timestamp(), annotation.deleted
