"""Whether annotators follow the model because they see its answer: shown tasks against blind ones."""

from dataclasses import dataclass

from workbench.domain.anchoring import Suggestion, anchoring
from workbench.domain.annotators import votes
from workbench.domain.records import Project
from workbench.storage.store import Transaction

NAME = "anchoring"
TITLE = "What showing the model's answer does"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Agreement with the model where its answer was shown and where it was not, and the difference."""

    shown_answers: int
    shown_agreement: float | None
    blind_answers: int
    blind_agreement: float | None
    difference: float | None
    low: float
    high: float
    verdict: str


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row; none while no task was blind."""
    predictions = tx.crowd.predictions(project.id)
    if not any(prediction.blind for prediction in predictions.values()):
        return []
    found = anchoring(
        Suggestion(prediction.blind, prediction.predicted, vote.label)
        for cast in votes(tx.crowd.all(project.id)).values()
        for vote in cast
        if (prediction := predictions.get(vote.task_id)) is not None and vote.label is not None
    )
    return [
        Row(
            shown_answers=found.shown.n,
            shown_agreement=found.shown.value,
            blind_answers=found.blind.n,
            blind_agreement=found.blind.value,
            difference=found.difference,
            low=found.interval.low,
            high=found.interval.high,
            verdict=found.verdict,
        )
    ]
