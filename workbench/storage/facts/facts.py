"""Everything that a report may know of a project at a moment, by subject. Reads only."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa

from workbench.domain.pseudonyms import Names, Words, open_names, unveil, veil
from workbench.domain.records import Project
from workbench.storage.facts.answers import AnswerFacts
from workbench.storage.facts.coverage import CoverageFacts
from workbench.storage.facts.diagnostics import DiagnosticFacts
from workbench.storage.facts.integrity import IntegrityFacts
from workbench.storage.facts.labels import LabelFacts
from workbench.storage.facts.moment import Moment
from workbench.storage.facts.others import OtherFacts
from workbench.storage.facts.people import people
from workbench.storage.facts.points import PointFacts
from workbench.storage.facts.predictions import PredictionFacts
from workbench.storage.facts.rounds import RoundFacts
from workbench.storage.facts.terms import TermFacts
from workbench.storage.facts.trail import TrailFacts
from workbench.storage.facts.visits import VisitFacts

T = TypeVar("T")


class Facts:
    """A project at a moment. ``names`` says what people are called: by their names, or not."""

    def __init__(
        self, connection: sa.Connection, project: Project, at: datetime, names: Names = open_names
    ) -> None:
        self._moment = Moment(connection=connection, project=project, at=at)
        self.names = names
        self._made: dict[Callable[[Facts], Any], Any] = {}

    def once(self, make: Callable[["Facts"], T]) -> T:
        """What is made of these facts, made once for all readers that ask for it."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    @property
    def project(self) -> Project:
        """The project."""
        return self._moment.project

    @property
    def at(self) -> datetime:
        """The moment."""
        return self._moment.at

    def of(self, project: Project) -> "Facts":
        """Another project of the same database, at the same moment."""
        return Facts(self._moment.connection, project, self.at, self.names)

    @cached_property
    def words(self) -> Words:
        """What is shown of words that somebody else wrote: people in them are called as by ``names``."""
        return unveil if self.names is open_names else veil(self.names, people(self._moment))

    @cached_property
    def others(self) -> OtherFacts:
        """The projects of the database, to be compared."""
        return OtherFacts(self._moment)

    @cached_property
    def rounds(self) -> RoundFacts:
        """Rounds, their tasks and picks."""
        return RoundFacts(self._moment)

    @cached_property
    def points(self) -> PointFacts:
        """The budget curve, metrics, spending."""
        return PointFacts(self._moment)

    @cached_property
    def predictions(self) -> PredictionFacts:
        """What models said of the held-out items."""
        return PredictionFacts(self._moment)

    @cached_property
    def answers(self) -> AnswerFacts:
        """What people said."""
        return AnswerFacts(self._moment)

    @cached_property
    def labels(self) -> LabelFacts:
        """What that amounts to."""
        return LabelFacts(self._moment)

    @cached_property
    def coverage(self) -> CoverageFacts:
        """Labels by class and source."""
        return CoverageFacts(self._moment)

    @cached_property
    def diagnostics(self) -> DiagnosticFacts:
        """Findings that rounds left behind."""
        return DiagnosticFacts(self._moment)

    @cached_property
    def terms(self) -> TermFacts:
        """Prices, caps, target and deadline."""
        return TermFacts(self._moment)

    @cached_property
    def integrity(self) -> IntegrityFacts:
        """Whether everything is in order."""
        return IntegrityFacts(self._moment)

    @cached_property
    def trail(self) -> TrailFacts:
        """The audit trail."""
        return TrailFacts(self._moment, self.words)

    @cached_property
    def visits(self) -> VisitFacts:
        """What pages of one round or item show."""
        return VisitFacts(self._moment)
