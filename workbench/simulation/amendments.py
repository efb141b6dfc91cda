"""People change their minds: one answer is corrected after its round was closed, one is taken back."""

from collections.abc import Sequence
from contextlib import suppress

from connectors.errors import LabelerRefused
from connectors.labelers.protocol import Annotator
from workbench.domain.consensus import usable
from workbench.domain.records import Annotation
from workbench.simulation.answers import Answers
from workbench.steps.parts import Parts


def correct_one(parts: Parts, people: Sequence[Annotator], answers: Answers, number: int) -> str | None:
    """Correct the first wrong answer of a closed round (or spoil the first one, if all are right).

    Done twice, the same answer says the same again. Gives the item's key.
    """
    found = _answers_of(parts, number)
    if not found:
        return None
    wrong = [(key, a) for key, a in found if answers.of(key).label != answers.truths[key]]
    key, annotation = wrong[0] if wrong else found[0]
    label = answers.truths[key] if wrong else answers.other_than(answers.truths[key], key)
    _person(people, annotation).edit(annotation.external_id, label)
    return key


def take_one_back(parts: Parts, people: Sequence[Annotator], number: int) -> str | None:
    """Delete the last answer of a closed round; one that is gone already stays gone. Gives the item's key."""
    found = _answers_of(parts, number)
    if not found:
        return None
    key, annotation = found[-1]
    with suppress(LabelerRefused):
        _person(people, annotation).delete(annotation.external_id)
    return key


def _answers_of(parts: Parts, number: int) -> list[tuple[str, Annotation]]:
    """The usable answers of a round, in order of choice."""
    with parts.store.begin() as tx:
        current = next((r for r in tx.rounds.all(parts.project.id) if r.number == number), None)
        tasks = tx.tasks.of_round(current.id) if current else []
        annotations = tx.annotations.of_items(task.item_id for task in tasks)
    return [
        (task.item_key, vote)
        for task in tasks
        for vote in usable(annotations.get(task.item_id, []))
        if vote.task_id == task.id
    ]


def _person(people: Sequence[Annotator], annotation: Annotation) -> Annotator:
    return next(person for person in people if person.name == annotation.annotator)
