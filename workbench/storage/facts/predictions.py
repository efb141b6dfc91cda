"""What models said of the held-out items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from workbench.domain.arms import Arm
from workbench.storage.facts.moment import Moment
from workbench.storage.predictions import Predictions, unpack, unpack_right
from workbench.storage.tables import prediction_set, round_


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


class PredictionFacts:
    """Predictions as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def hits(self) -> list[Hits]:
        """Of every round and arm, oldest first: a bit an item, so quick to read for hundreds of rounds."""
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
