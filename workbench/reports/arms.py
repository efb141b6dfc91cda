"""The arms of a project side by side: which of the same held-out items each round's models had right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.arms import Arm
from workbench.reports.statistics.overlap import overlap_of
from workbench.storage.facts.predictions import Hits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One arm: R models, oldest first, on N held-out items."""

    rounds: tuple[int, ...]
    labels_R: NDArray[np.int64]
    right_R_N: NDArray[np.bool_]

    @property
    def share_R(self) -> NDArray[Any]:
        """The accuracy of each model."""
        return np.asarray(self.right_R_N.mean(1), np.float64)

    @property
    def overlap(self) -> float | None:
        """Which part of the errors of their accuracies the models have in common."""
        return overlap_of(self.right_R_N)


class Sides(NamedTuple):
    """All arms that were measured on the same items."""

    active: Side
    random: Side | None
    control: Side | None
    ceiling: Side | None
    items: int
    #: Rounds whose model was measured on other items: they can not be held against the rest.
    left_out: int


def side_by_side(hits: Sequence[Hits]) -> Sides | None:
    """Take what was measured on the items that the newest round was measured on; None if nothing was."""
    newest = next((hit for hit in reversed(hits) if hit.arm is Arm.ACTIVE and len(hit.right_N)), None)
    if newest is None:
        return None
    same = [hit for hit in hits if hit.items_sha256 == newest.items_sha256]
    active = _side(same, Arm.ACTIVE)
    assert active is not None
    return Sides(
        active=active,
        random=_side(same, Arm.RANDOM),
        control=_side(same, Arm.CONTROL),
        ceiling=_side(same, Arm.CEILING),
        items=len(newest.right_N),
        left_out=sum(hit.arm is Arm.ACTIVE for hit in hits) - len(active.rounds),
    )


def _side(hits: Sequence[Hits], arm: Arm) -> Side | None:
    own = [hit for hit in hits if hit.arm is arm]
    if not own:
        return None
    return Side(
        rounds=tuple(hit.round_number for hit in own),
        labels_R=np.array([hit.labels for hit in own], np.int64),
        right_R_N=np.stack([hit.right_N for hit in own]),
    )
