"""The one way into the database: ``with store.begin() as tx``. Short, never around network or GPU work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from workbench.domain.pseudonyms import Names, open_names
from workbench.domain.records import Project
from workbench.storage import revisions
from workbench.storage.annotations import Annotations
from workbench.storage.crowd import Crowd
from workbench.storage.engine import file_of, make_engine, reading_options, server_time
from workbench.storage.evidence import Evidence
from workbench.storage.facts.facts import Facts
from workbench.storage.faults import ERRORS, problem_of
from workbench.storage.patience import patiently
from workbench.storage.pool import Pool
from workbench.storage.projects import Projects
from workbench.storage.pulse import latest_of_rounds, pulse
from workbench.storage.results import Results
from workbench.storage.rounds import Rounds
from workbench.storage.schedules import Schedules
from workbench.storage.settled import settled_time, writing_time
from workbench.storage.tasks import Tasks
from workbench.storage.terms import Terms
from workbench.storage.tokens import Tokens
from workbench.storage.wanted import Wanted
from workbench.storage.workers import Workers

Clock = Callable[[], datetime]
T = TypeVar("T")


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


class Transaction:
    """Everything that can be read and written inside one transaction, by subject."""

    def __init__(
        self, connection: sa.Connection, clock: Clock | None, actor: str, *, writes: bool = True
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._writes = writes
        self.actor = actor

    @cached_property
    def now(self) -> datetime:
        """The time of this transaction, by one clock for everybody: the server's, where there is one."""
        if self._clock is not None:
            return self._clock()
        if self._writes and self._connection.dialect.name == "postgresql":
            return writing_time(self._connection)
        return server_time(self._connection) or utc_now()

    @cached_property
    def projects(self) -> Projects:
        """Projects and their links to labelers."""
        return Projects(self._connection, self.now)

    @cached_property
    def pool(self) -> Pool:
        """Pool shards and touched items."""
        return Pool(self._connection, self.now)

    @cached_property
    def rounds(self) -> Rounds:
        """Rounds and their leases."""
        return Rounds(self._connection, self.now, self.actor)

    @cached_property
    def tasks(self) -> Tasks:
        """Selections and the outbox."""
        return Tasks(self._connection, self.now)

    @cached_property
    def annotations(self) -> Annotations:
        """Annotations and labels."""
        return Annotations(self._connection, self.now, self.actor)

    @cached_property
    def crowd(self) -> Crowd:
        """All annotations, as statistics read them."""
        return Crowd(self._connection)

    @cached_property
    def wanted(self) -> Wanted:
        """What is still asked of annotators."""
        return Wanted(self._connection, self.now)

    @cached_property
    def results(self) -> Results:
        """Models, metrics, budget points, events."""
        return Results(self._connection, self.now, self.actor)

    @cached_property
    def evidence(self) -> Evidence:
        """Predictions, diagnostics and maps, for reports."""
        return Evidence(self._connection, self.now)

    @cached_property
    def terms(self) -> Terms:
        """The budget's terms, and what people have changed of them."""
        return Terms(self._connection, self.now, self.actor)

    @property
    def latest(self) -> datetime:
        """Now; later where a clock was set back after a round had left something."""
        return max(self.now, latest_of_rounds(self._connection) or self.now)

    def facts(self, project: Project, at: datetime | None = None, names: Names = open_names) -> Facts:
        """Everything that a report may know of a project, now or at a moment."""
        return Facts(self._connection, project, at or self.now, names)

    @cached_property
    def schedules(self) -> Schedules:
        """When rounds start by themselves."""
        return Schedules(self._connection, self.now)

    @cached_property
    def workers(self) -> Workers:
        """Who is at work."""
        return Workers(self._connection, self.now)

    @cached_property
    def tokens(self) -> Tokens:
        """Keys to the dashboard, and who has signed in."""
        return Tokens(self._connection, self.now)

    @cached_property
    def pulse(self) -> tuple[int | None, ...]:
        """A fingerprint of all that reports read: they say the same until it changes."""
        return pulse(self._connection)


class Store:
    """A database at the right revision. ``actor`` is who the events say did it.

    ``clock`` replaces the clock of the database's server (of this machine, for SQLite).
    """

    def __init__(self, engine: sa.Engine, clock: Clock | None = None, actor: str = "workbench") -> None:
        self.engine = engine
        self.actor = actor
        self._clock = clock
        self._open = threading.local()

    @property
    def file(self) -> Path | None:
        """The database's file; None where a server keeps it."""
        return file_of(self.engine)

    @property
    def busy(self) -> bool:
        """Whether this thread is inside a transaction."""
        return bool(getattr(self._open, "here", False))

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back on any error.

        Raises:
            DatabaseAway: The database is away, locked for too long, or refuses because of a conflict.
            DatabaseProblem: Its disk is full, or it does not take what is written.
        """
        with self._alone(), self.engine.begin() as connection:
            yield Transaction(connection, self._clock, self.actor)

    def insist(self, work: Callable[[Transaction], T]) -> T:
        """Do ``work`` in a transaction of its own, again while the database is away, for about a minute.

        Only for what does the same when it is done twice: a commit may be carried out and its answer lost.

        Raises:
            DatabaseAway: It was away for longer.
            DatabaseProblem: As in ``begin``.
        """

        def once() -> T:
            with self.begin() as tx:
                return work(tx)

        return patiently(once)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads: it holds nobody up, and sees one moment of the database.

        Raises:
            DatabaseAway: The database is away.
        """
        with self._alone(), self.engine.connect() as plain:
            connection = plain.execution_options(**reading_options(self.engine))
            with connection.begin():
                yield Transaction(connection, self._clock, self.actor, writes=False)

    def settled(self) -> datetime:
        """Now, or the moment before those began who write: nothing more will come to be known of it.

        Asked before a reading begins, so that a report of that moment says later what it says now.

        Raises:
            DatabaseAway: The database is away.
        """
        with self._alone():
            return settled_time(self.engine, self._clock)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a transaction inside another, and put the database's errors in words."""
        if getattr(self._open, "here", False):
            raise RuntimeError(
                "A transaction is open in this thread already: one inside another waits forever."
            )
        self._open.here = True
        try:
            yield
        except ERRORS as error:
            raise problem_of(error) from error
        finally:
            self._open.here = False

    def check(self) -> None:
        """Refuse a database that this version can not work with.

        Raises:
            DatabaseProblem: Unreachable, or at another revision.
        """
        try:
            revisions.check(self.engine)
        except ERRORS as error:
            raise problem_of(error) from error

    def upgrade(self) -> revisions.RevisionStatus:
        """Bring the database to the newest revision.

        Raises:
            DatabaseProblem: Unreachable, or made by a newer version.
        """
        try:
            return revisions.upgrade(self.engine)
        except ERRORS as error:
            raise problem_of(error) from error

    def status(self) -> revisions.RevisionStatus:
        """Compare the database's revision with ours.

        Raises:
            DatabaseProblem: Unreachable.
        """
        try:
            return revisions.status(self.engine)
        except ERRORS as error:
            raise problem_of(error) from error

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def open_store(url: str, clock: Clock | None = None, actor: str = "workbench") -> Store:
    """Make a store for a database address; nothing is connected yet. ``actor`` signs the events."""
    return Store(make_engine(url), clock, actor)
