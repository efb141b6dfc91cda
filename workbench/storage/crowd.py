"""What all annotators of a project said, without the labelers' own records: what statistics read."""

from collections.abc import Collection

import sqlalchemy as sa

from workbench.domain.records import Annotation, Split
from workbench.storage.annotations import BRIEF
from workbench.storage.tables import annotation, item, label


class Crowd:
    """Annotations as statistics want them. Reads only."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self, project_id: int) -> list[Annotation]:
        """Every version of every annotation, oldest first."""
        rows = self._connection.execute(
            sa.select(*BRIEF).where(annotation.c.project_id == project_id).order_by(annotation.c.id)
        )
        return [Annotation(**row) for row in rows.mappings()]

    def decided_otherwise(self, project_id: int, methods: Collection[str]) -> bool:
        """Whether any label in force was decided by none of these methods."""
        found = self._connection.execute(
            sa.select(label.c.id)
            .join(item, item.c.id == label.c.item_id)
            .where(
                item.c.project_id == project_id,
                label.c.current.is_(True),
                label.c.method.not_in(sorted(methods)),
            )
            .limit(1)
        )
        return found.first() is not None

    def known_labels(self, project_id: int) -> dict[int, str]:
        """The labels of gold items by item; no annotation decides on them."""
        rows = self._connection.execute(
            sa.select(item.c.id, item.c.known_label).where(
                item.c.project_id == project_id,
                item.c.split == Split.GOLD,
                item.c.known_label.is_not(None),
            )
        )
        return {row.id: row.known_label for row in rows}
