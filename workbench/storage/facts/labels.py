"""What the answers amount to."""

import sqlalchemy as sa

from workbench.domain.records import Label, LabelStatus
from workbench.storage.annotations import to_label
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import item, label


class LabelFacts:
    """Labels as they were in force at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[Label]:
        """Every label, by item key."""
        rows = self._moment.connection.execute(
            sa.select(label, item.c.key.label("item_key"))
            .join(item, item.c.id == label.c.item_id)
            .where(self._moment.labels())
            .order_by(item.c.key)
        )
        return [to_label(row) for row in rows]

    def by_class(self) -> dict[str, int]:
        """How many items have each class as their agreed label."""
        rows = self._moment.connection.execute(
            sa.select(label.c.value, sa.func.count().label("n"))
            .join(item, item.c.id == label.c.item_id)
            .where(self._moment.labels(), label.c.status == LabelStatus.AGREED)
            .group_by(label.c.value)
        )
        return {row.value: row.n for row in rows}
