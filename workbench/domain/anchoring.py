"""Whether annotators follow the model's answer because they see it. Pure.

Some tasks are shown without it. If people agree with the model more often where they see its answer than
where they do not, seeing it changes what they say; said only where the interval of the difference keeps off
zero.
"""

from typing import NamedTuple

from workbench.domain.annotators import Share
from workbench.domain.intervals import Interval, covers_zero


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
