"""The one way into the database: ``with store.begin() as tx``. Short, never around network or GPU work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem
from workbench.storage import revisions
from workbench.storage.annotations import Annotations
from workbench.storage.engine import make_engine
from workbench.storage.pool import Pool
from workbench.storage.projects import Projects
from workbench.storage.results import Results
from workbench.storage.rounds import Rounds
from workbench.storage.tasks import Tasks
from workbench.storage.workers import Workers

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


class Transaction:
    """Everything that can be read and written inside one transaction, by subject."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str) -> None:
        self._connection = connection
        self.now = now
        self.actor = actor

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
        return Rounds(self._connection, self.now)

    @cached_property
    def tasks(self) -> Tasks:
        """Selections and the outbox."""
        return Tasks(self._connection)

    @cached_property
    def annotations(self) -> Annotations:
        """Annotations and labels."""
        return Annotations(self._connection, self.now)

    @cached_property
    def results(self) -> Results:
        """Models, metrics, budget points, events."""
        return Results(self._connection, self.now, self.actor)

    @cached_property
    def workers(self) -> Workers:
        """Who is at work."""
        return Workers(self._connection, self.now)


class Store:
    """A database at the right revision. ``actor`` is who the events say did it."""

    def __init__(self, engine: sa.Engine, clock: Clock = utc_now, actor: str = "workbench") -> None:
        self.engine = engine
        self.actor = actor
        self._clock = clock
        self._open = threading.local()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back on any error.

        Raises:
            DatabaseProblem: The database is away, locked for too long, or its disk is full.
        """
        with self._alone(), self.engine.begin() as connection:
            yield Transaction(connection, self._clock(), self.actor)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads: it holds nobody up, and sees one moment of the database.

        Raises:
            DatabaseProblem: The database is away.
        """
        with self._alone(), self.engine.connect() as plain:
            connection = plain.execution_options(reading=True)
            with connection.begin():
                yield Transaction(connection, self._clock(), self.actor)

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
        except sa.exc.DBAPIError as error:
            raise DatabaseProblem(_in_words(error)) from error
        finally:
            self._open.here = False

    def check(self) -> None:
        """Refuse a database that this version can not work with.

        Raises:
            DatabaseProblem: Unreachable, or at another revision.
        """
        try:
            revisions.check(self.engine)
        except sa.exc.DBAPIError as error:
            raise DatabaseProblem(_in_words(error)) from error

    def upgrade(self) -> revisions.RevisionStatus:
        """Bring the database to the newest revision.

        Raises:
            DatabaseProblem: Unreachable, or made by a newer version.
        """
        try:
            return revisions.upgrade(self.engine)
        except sa.exc.DBAPIError as error:
            raise DatabaseProblem(_in_words(error)) from error

    def status(self) -> revisions.RevisionStatus:
        """Compare the database's revision with ours.

        Raises:
            DatabaseProblem: Unreachable.
        """
        try:
            return revisions.status(self.engine)
        except sa.exc.DBAPIError as error:
            raise DatabaseProblem(_in_words(error)) from error

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def open_store(url: str, clock: Clock = utc_now, actor: str = "workbench") -> Store:
    """Make a store for a database address; nothing is connected yet. ``actor`` signs the events."""
    return Store(make_engine(url), clock, actor)


def _in_words(error: sa.exc.DBAPIError) -> str:
    cause = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__
    advice = "Nothing of this step was written. "
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        advice += "It did not take what was written, which is a defect: please report it with this line."
    elif "full" in cause:
        advice += "Free some disk space, then type `workbench round resume`."
    elif "locked" in cause:
        advice += "Another process holds the database; try again in a moment."
    elif "unable to open" in cause or "readonly" in cause:
        advice += "Check that the folder of the database exists and can be written."
    else:
        advice += "Check WORKBENCH_DATABASE_URL or [storage] database, and that the server is up."
    return f"The database answered: {cause}. {advice}"
