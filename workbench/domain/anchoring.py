"""Whether annotators follow the model's answer because they see it. Pure.

Some tasks are shown without it. If people agree with the model more often where they see its answer than
where they do not, seeing it changes what they say; said only where the interval of the difference keeps off
zero.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workbench.domain.annotators import Share
from workbench.domain.intervals import Interval, covers_zero, difference


class Suggestion(NamedTuple):
    """One answer to a task for which the model had one of its own; ``blind`` if it was not shown."""

    blind: bool
    predicted: str
    answer: str


class Anchoring(NamedTuple):
    """How often people agreed with the model, with its answer before them and without."""

    shown: Share
    blind: Share
    interval: Interval

    @property
    def difference(self) -> float | None:
        """Agreement where shown minus agreement where blind."""
        shown, blind = self.shown.value, self.blind.value
        return None if shown is None or blind is None else shown - blind

    @property
    def verdict(self) -> str:
        """In words."""
        if self.difference is None or covers_zero(self.interval):
            return "not shown"
        return "people follow the model" if self.difference > 0 else "people go against the model"


def anchoring(suggestions: Iterable[Suggestion]) -> Anchoring:
    """Compare the two kinds of tasks."""
    agreed = {True: 0, False: 0}
    made = {True: 0, False: 0}
    for blind, predicted, answer in suggestions:
        made[blind] += 1
        agreed[blind] += predicted == answer
    shown, unseen = Share(agreed[False], made[False]), Share(agreed[True], made[True])
    return Anchoring(shown, unseen, difference(*shown, *unseen))
