"""What a conflict comes to: somebody rules on it, and the ruling stands above every opinion.

Rulings are annotations like others, made in a queue of their own; the queue is told by its name.
"""

from collections.abc import Iterable

from workbench.domain.consensus import Consensus, usable
from workbench.domain.records import Annotation, LabelStatus

#: Follows a labeler's name; under the whole of it the queue, its tasks and its annotations are stored.
QUEUE = ":adjudication"
METHOD = "adjudicated"


def queue_name(labeler: str) -> str:
    """Under which name the adjudication queue of a labeler is stored."""
    return labeler + QUEUE


def is_queue(labeler: str) -> bool:
    """Whether a name is that of an adjudication queue."""
    return labeler.endswith(QUEUE)


def opinions(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Keep what was said in the ordinary queue."""
    return [annotation for annotation in annotations if not annotation.adjudicates]


def ruling(annotations: Iterable[Annotation]) -> Consensus | None:
    """The newest valid ruling on an item, or None while nobody has ruled, or the ruling was taken back."""
    rulings = usable(annotation for annotation in annotations if annotation.adjudicates)
    if not rulings:
        return None
    last = max(rulings, key=lambda vote: (vote.updated_at, vote.external_id))
    return Consensus(last.label, LabelStatus.AGREED, 1.0, (last.external_id,))
