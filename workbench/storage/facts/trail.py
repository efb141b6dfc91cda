"""The audit trail as it was at a moment."""

from dataclasses import replace

import sqlalchemy as sa

from workbench.domain.pseudonyms import Words
from workbench.domain.records import Event
from workbench.storage.diary import Wanted, read_events
from workbench.storage.facts.moment import Moment
from workbench.storage.tables import event


class TrailFacts:
    """Events up to a moment, with people called as the reader may know them."""

    def __init__(self, moment: Moment, words: Words) -> None:
        self._moment = moment
        self._words = words

    def kinds(self) -> list[str]:
        """Which kinds of events there are."""
        own = sa.and_(event.c.project_id == self._moment.project.id, event.c.at <= self._moment.at)
        found = sa.select(event.c.kind).where(own).distinct().order_by(event.c.kind)
        return list(self._moment.connection.execute(found).scalars())

    def events(self, wanted: Wanted) -> list[Event]:
        """Those that are wanted and were written by then, oldest first."""
        found = read_events(self._moment.connection, self._moment.project.id, wanted, until=self._moment.at)
        hide = self._words
        return [replace(each, message=hide(each.message), actor=hide(each.actor)) for each in found]
