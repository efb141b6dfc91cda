"""What models said of the held-out items."""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from workbench.domain.arms import Arm
from workbench.domain.records import LabelStatus, Reason
from workbench.storage.facts.moment import Moment
from workbench.storage.predictions import Predictions, unpack, unpack_right
from workbench.storage.tables import budget_point, item, label, prediction_set, round_, selection


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hits:
    """Which of N held-out items the model of a round and arm had right.

    Attributes:
        labels: How many labels the model had learnt from.
        items_sha256: Two sets with the same one are about the same items, in the same order.
    """

    round_number: int
    arm: Arm
    labels: int
    items_sha256: str
    right_N: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """M items that a round drew one after the other with known probabilities, in that order.

    Attributes:
        pool: How many it drew from.
        proposal_M: How likely each was to be drawn next when it was, among those that were left.
        known_M: Whether people agreed on a label.
        wrong_M: 1 where the model that chose them had predicted another one, else 0.
    """

    round_number: int
    pool: int
    proposal_M: NDArray[np.float64]
    known_M: NDArray[np.bool_]
    wrong_M: NDArray[np.float64]


class PredictionFacts:
    """Predictions as they were known at a moment; bits are read once, as a moment does not change."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def hits(self) -> list[Hits]:
        """Of every round and arm, oldest first: a bit an item, so quick to read for hundreds of rounds."""
        return self._hits

    @cached_property
    def _hits(self) -> list[Hits]:
        wanted = (
            prediction_set.c.arm,
            prediction_set.c.labels,
            prediction_set.c.n,
            prediction_set.c.items_sha256,
            prediction_set.c.right,
            round_.c.number,
        )
        return [
            Hits(
                round_number=row.number,
                arm=Arm(row.arm),
                labels=row.labels,
                items_sha256=row.items_sha256,
                right_N=unpack_right(row.right, row.n),
            )
            for row in self._rows(*wanted)
        ]

    def newest(self, arm: Arm = Arm.ACTIVE) -> tuple[int, Predictions] | None:
        """The newest predictions of an arm with their round's number; None while there are none."""
        rows = self._rows(prediction_set.c.content, round_.c.number, arm=arm, newest_first=True, limit=1)
        return (rows[0].number, unpack(rows[0].content)) if rows else None

    def of_round(self, number: int, arm: Arm = Arm.ACTIVE) -> Predictions | None:
        """The predictions of one round; None if it has none."""
        rows = self._rows(prediction_set.c.content, arm=arm, number=number)
        return unpack(rows[0].content) if rows else None

    def drawn(self, most: int) -> list[Drawn]:
        """What measured rounds drew by known probabilities, oldest first: the newest, of ``most`` picks."""
        rounds = self._measured(most)
        known = sa.and_(label.c.item_id == item.c.id, self._moment.labels())
        # Random picks were taken out of the pool before the others were drawn.
        rows = self._moment.connection.execute(
            sa.select(
                selection.c.round_id,
                selection.c.reason,
                selection.c.proposal,
                sa.case((label.c.status == LabelStatus.AGREED, label.c.value)).label("value"),
                selection.c.predicted,
            )
            .join(item, item.c.id == selection.c.item_id)
            .outerjoin(label, known)
            .where(
                selection.c.round_id.in_(rounds),
                sa.or_(selection.c.proposal.is_not(None), selection.c.reason == Reason.CONTROL),
            )
            .order_by(selection.c.round_id, selection.c.rank)
        )
        groups = {key: list(group) for key, group in groupby(rows, key=lambda row: row.round_id)}
        return [_drawn(rounds[key], groups[key]) for key in rounds if key in groups]

    def _measured(self, most: int) -> dict[int, Any]:
        """Rounds that were measured by then, by id, oldest first."""
        measured = sa.select(budget_point.c.round_id).where(self._moment.known(budget_point.c.created_at))
        rows = self._moment.connection.execute(
            sa.select(round_.c.id, round_.c.number, round_.c.pool_size, round_.c.batch_size)
            .where(
                round_.c.project_id == self._moment.project.id,
                round_.c.pool_size.is_not(None),
                round_.c.id.in_(measured),
            )
            .order_by(round_.c.number.desc())
        ).all()
        picks = accumulate(row.batch_size for row in rows)
        kept = [row for row, so_far in zip(rows, picks, strict=True) if so_far <= most] or rows[:1]
        return {row.id: row for row in reversed(kept)}

    def _rows(
        self,
        *wanted: sa.ColumnElement[Any],
        arm: Arm | None = None,
        number: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Any]:
        statement = (
            sa.select(*wanted)
            .join(round_, round_.c.id == prediction_set.c.round_id)
            .where(
                round_.c.project_id == self._moment.project.id,
                prediction_set.c.created_at <= self._moment.at,
            )
            .order_by(round_.c.number.desc() if newest_first else round_.c.number, prediction_set.c.id)
            .limit(limit)
        )
        if arm is not None:
            statement = statement.where(prediction_set.c.arm == str(arm))
        if number is not None:
            statement = statement.where(round_.c.number == number)
        return list(self._moment.connection.execute(statement))


def _drawn(of: Any, rows: list[Any]) -> Drawn:
    by_chance = [row for row in rows if row.reason != Reason.CONTROL]
    known_M = np.array([row.value is not None for row in by_chance], bool)
    wrong = [row.value is not None and row.value != row.predicted for row in by_chance]
    return Drawn(
        round_number=of.number,
        pool=of.pool_size - (len(rows) - len(by_chance)),
        proposal_M=np.array([row.proposal for row in by_chance], np.float64),
        known_M=known_M,
        wrong_M=np.array(wrong, np.float64),
    )
