"""How many opinions an item needs: as many as its task asks for, and more while they leave doubt."""

from dataclasses import dataclass

from workbench.domain.records import Label, LabelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """When one more opinion is asked for.

    Attributes:
        min_confidence: A label below it is in doubt; 0 asks for no more than the tasks do.
        max_overlap: Never more opinions of an item than this.
    """

    min_confidence: float
    max_overlap: int

    @property
    def adapts(self) -> bool:
        """Whether more opinions are ever asked for."""
        return self.min_confidence > 0


def in_doubt(label: Label | None, min_confidence: float) -> bool:
    """Whether a label is a conflict or less sure than it should be."""
    if label is None or label.status is LabelStatus.WITHDRAWN:
        return False
    return label.status is LabelStatus.CONFLICT or label.confidence < min_confidence


def wanted_opinions(policy: Redundancy, label: Label | None, *, asked: int, given: int, of_item: int) -> int:
    """How many opinions a task should have in all.

    Args:
        asked: How many it is asked for to begin with.
        given: How many it has.
        of_item: How many its item has, those of other rounds included.
    """
    if given < asked or not policy.adapts:
        return asked
    if in_doubt(label, policy.min_confidence) and of_item < policy.max_overlap:
        return given + 1
    return given


def is_exhausted(policy: Redundancy, label: Label | None, *, of_item: int) -> bool:
    """Whether a label stays in doubt because no more opinions are to be had: somebody has to rule."""
    if not in_doubt(label, policy.min_confidence):
        return False
    return not policy.adapts or of_item >= policy.max_overlap
