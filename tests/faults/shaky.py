"""A database and a labeler on which things go wrong when they are told to, and a clock that jumps.

A killed process is an exception that nothing catches, after which its store does nothing any more: whatever
the dying process would still like to write is not written, as after a real kill.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from connectors.errors import LabelerUnreachable, OutcomeUnknown
from workbench.storage.store import Store, Transaction

STREAMS = ("changed_tasks", "all_tasks", "survey_tasks")
READS = ("find_tasks", "count_tasks", "describe_project", *STREAMS)
WRITES = ("open_project", "send_tasks", "delete_tasks", "release", "set_overlap", "set_predictions")


class Killed(BaseException):
    """The process ends here."""


class Wrong(StrEnum):
    """What can go wrong with a call or a commit. A new one is a name here and a line where it happens."""

    #: The labeler is away; nothing was done.
    AWAY = "away"
    #: It was done, and the answer was lost.
    LOST_AFTER = "lost-after"
    #: It was not done, and nobody can know.
    LOST_BEFORE = "lost-before"
    #: The answer was lost, and it is done much later.
    LATE = "late"
    KILLED_BEFORE = "killed-before"
    KILLED_AFTER = "killed-after"
    #: The process is paused, its lease runs out, and another process goes to work.
    OVERTAKEN_BEFORE = "overtaken-before"
    OVERTAKEN_AFTER = "overtaken-after"


@dataclass
class Clock:
    """Goes on by a millisecond each time it is read; jumps when told to."""

    now: datetime = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def jump(self, seconds: float) -> None:
        """Forwards or backwards."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Trouble:
    """What goes wrong next: after so many further calls or commits, once."""

    calls: tuple[int, Wrong] | None = None
    commits: tuple[int, Wrong] | None = None
    #: Run when the process is overtaken.
    other: Callable[[], None] | None = None
    #: Writes that are still on their way.
    late: list[Callable[[], Any]] = field(default_factory=list)

    def at_call(self) -> Wrong | None:
        """What goes wrong with this call of the labeler."""
        self.calls, due = _count(self.calls)
        return due

    def at_commit(self) -> Wrong | None:
        """What goes wrong with this commit."""
        self.commits, due = _count(self.commits)
        return due

    def overtake(self) -> None:
        """Let the other process work, undisturbed."""
        if self.other is not None:
            other, self.other = self.other, None
            other()

    def arrive(self) -> None:
        """Whatever was on its way is carried out now."""
        while self.late:
            self.late.pop()()


def _count(plan: tuple[int, Wrong] | None) -> tuple[tuple[int, Wrong] | None, Wrong | None]:
    if plan is None:
        return None, None
    left, wrong = plan
    return ((left - 1, wrong), None) if left else (None, wrong)


class MortalStore(Store):
    """A store whose process can die at a commit; ``watch`` sees every transaction before it ends."""

    def __init__(
        self,
        engine: sa.Engine,
        clock: Clock,
        trouble: Trouble,
        watch: Callable[[Transaction], None],
    ) -> None:
        super().__init__(engine, clock, "somebody")
        self.trouble = trouble
        self.dead = False
        self._watch = watch

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction, unless the process is dead."""
        if self.dead:
            raise Killed
        wrong = self.trouble.at_commit()
        with super().begin() as tx:
            yield tx
            self._watch(tx)
            if wrong is Wrong.KILLED_BEFORE:
                self.die()
        if wrong is Wrong.KILLED_AFTER:
            self.die()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads, unless the process is dead."""
        if self.dead:
            raise Killed
        with super().read() as tx:
            yield tx

    def die(self) -> None:
        """End the process that this store belongs to."""
        self.dead = True
        raise Killed


class ShakyLabeler:
    """A labeler, as one process sees it: each of its calls can go wrong."""

    def __init__(self, labeler: Any, store: MortalStore) -> None:
        self._labeler = labeler
        self._store = store
        self.name = labeler.name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._labeler, name)
        if name not in (*READS, *WRITES):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            def really() -> Any:
                result = found(*args, **kwargs)
                return list(result) if name in STREAMS else result

            return self._call(really, writes=name in WRITES)

        return call

    def _call(self, really: Callable[[], Any], *, writes: bool) -> Any:
        store, trouble = self._store, self._store.trouble
        if store.dead:
            raise Killed
        wrong = trouble.at_call()
        lost = OutcomeUnknown("the answer was lost") if writes else LabelerUnreachable("no answer came")
        if wrong is Wrong.AWAY:
            raise LabelerUnreachable("the labeler is away")
        if wrong is Wrong.LOST_BEFORE:
            raise lost
        if wrong is Wrong.LATE:
            trouble.late.append(really)
            raise lost
        if wrong is Wrong.KILLED_BEFORE:
            store.die()
        if wrong is Wrong.OVERTAKEN_BEFORE:
            trouble.overtake()
        result = really()
        if wrong is Wrong.LOST_AFTER:
            raise lost
        if wrong is Wrong.KILLED_AFTER:
            store.die()
        if wrong is Wrong.OVERTAKEN_AFTER:
            trouble.overtake()
        return result
