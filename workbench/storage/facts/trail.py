"""The audit trail as it was at a moment."""

from workbench.domain.records import Event
from workbench.storage.diary import Wanted, read_events
from workbench.storage.facts.moment import Moment


class TrailFacts:
    """Events up to a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def events(self, wanted: Wanted) -> list[Event]:
        """Those that are wanted and were written by then, oldest first."""
        return read_events(self._moment.connection, self._moment.project.id, wanted, until=self._moment.at)
