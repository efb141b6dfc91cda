"""Prices, caps, target and deadline as they held."""

from workbench.domain.terms import Terms
from workbench.storage.facts.moment import Moment
from workbench.storage.terms import FILE, PERSON, terms_at


class TermFacts:
    """The budget's terms at a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def now(self) -> Terms:
        """What the configuration said, and what people had changed of it."""
        connection, project = self._moment.connection, self._moment.project
        file = terms_at(connection, project.id, FILE, self._moment.at) or {}
        changed = terms_at(connection, project.id, PERSON, self._moment.at) or {}
        return Terms.of({**file, **changed}, changed=frozenset(changed))
