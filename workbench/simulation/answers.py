"""Simulated people: they know the truth, and are wrong, unsure and slow in a way that always repeats.

What becomes of an item follows from its key alone, so it does not matter who is served it, or whether the
work was interrupted in between. Where people are told apart it follows from the key and the person.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.labelers.protocol import Annotator
from workbench.domain.seeds import derive_seed, fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody does with an item: a label, or None for a skip; and how long it takes."""

    label: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who errs in a way of their own.

    Attributes:
        error_rate: How often the answer is wrong, where ``confusion`` says nothing.
        confusion: By true class, how often which other class is answered; what is missing to 1 is right.
    """

    error_rate: float = 0.0
    confusion: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everybody's answers to everything; ``people`` by name, where they are unlike."""

    truths: Mapping[str, str]
    classes: Sequence[str]
    seed: int
    error_rate: float = 0.04
    skip_rate: float = 0.03
    people: Mapping[str, Person] = field(default_factory=dict)

    def of(self, key: str, who: str | None = None) -> Answer:
        """What anybody would do with this item, or what ``who`` does where people are unlike."""
        seconds = round(2.0 + 6.0 * -math.log(1 - 0.95 * fraction(self.seed, "seconds", key)), 2)
        if fraction(self.seed, "skip", key) < self.skip_rate:
            return Answer(label=None, seconds=seconds)
        truth = self.truths[key]
        if who is not None and who in self.people:
            return Answer(label=self._said_by(who, key), seconds=seconds)
        if fraction(self.seed, "error", key) < self.error_rate:
            return Answer(label=self.other_than(truth, key), seconds=seconds)
        return Answer(label=truth, seconds=seconds)

    def _said_by(self, who: str, key: str) -> str:
        person, truth = self.people[who], self.truths[key]
        coin = fraction(self.seed, "error", who, key)
        for label, share in person.confusion.get(truth, {}).items():
            if coin < share:
                return label
            coin -= share
        if truth in person.confusion or coin >= person.error_rate:
            return truth
        others = [name for name in self.classes if name != truth]
        return others[derive_seed(self.seed, "wrong", who, key) % len(others)]

    def other_than(self, label: str, key: str) -> str:
        """Some other class, the same each time."""
        others = [name for name in self.classes if name != label]
        return others[derive_seed(self.seed, "wrong", key) % len(others)]


def answer_next(annotator: Annotator, project_id: str, answers: Answers) -> bool:
    """Have one person answer the next task; says whether there was one."""
    served = annotator.next_task(project_id)
    if served is None:
        return False
    if served.item_key is None or served.item_key not in answers.truths:
        annotator.skip(served.task_id, seconds=1.0)
        return True
    answer = answers.of(served.item_key, annotator.name)
    if answer.label is None:
        annotator.skip(served.task_id, seconds=answer.seconds)
    else:
        annotator.annotate(served.task_id, answer.label, seconds=answer.seconds)
    return True


def answer_all(annotators: Sequence[Annotator], project_id: str, answers: Answers) -> int:
    """Have everybody work in turns until nobody is served anything; says how many answers were given."""
    given = 0
    # A skip may hand a task back to somebody who had nothing to do, so everybody is asked in each turn.
    while busy := sum(answer_next(person, project_id, answers) for person in annotators):
        given += busy
    return given
