"""The audit trail as it was at a moment."""

from dataclasses import replace

from workbench.domain.pseudonyms import Words
from workbench.domain.records import Event
from workbench.storage.diary import Wanted, read_events
from workbench.storage.facts.moment import Moment


class TrailFacts:
    """Events up to a moment, with people called as the reader may know them."""

    def __init__(self, moment: Moment, words: Words) -> None:
        self._moment = moment
        self._words = words

    def events(self, wanted: Wanted) -> list[Event]:
        """Those that are wanted and were written by then, oldest first."""
        found = read_events(self._moment.connection, self._moment.project.id, wanted, until=self._moment.at)
        hide = self._words
        return [replace(event, message=hide(event.message), actor=hide(event.actor)) for event in found]
