"""What people said."""

import sqlalchemy as sa

from workbench.domain.records import Annotation
from workbench.storage.annotations import BRIEF
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import annotation


class AnswerFacts:
    """Annotations as they were known at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def all(self) -> list[Annotation]:
        """The newest version of every annotation, oldest first; deletions included."""
        rows = self._moment.connection.execute(
            sa.select(*BRIEF).where(self._moment.annotations()).order_by(annotation.c.id)
        )
        return [Annotation(**row) for row in rows.mappings()]
