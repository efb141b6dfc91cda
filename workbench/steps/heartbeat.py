"""Keep a lease while work runs, and stop that work early when the lease is lost all the same.

A thread of its own renews the lease, and writes down how far the work has come for whoever watches. What it
finds it only remembers: the thread at work asks whenever it reports how far it is, and stops there. That is a
courtesy, which saves time; what keeps a worker that was overtaken from writing is the fence in each of its
transactions.

Work that has not reported for hours is taken to be stuck: its lease is left to end, and another may go on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from workbench.domain.errors import RoundBusy, WorkbenchError
from workbench.domain.rounds import Round, overtaken
from workbench.storage.store import Store

#: Says how far a piece of work has come: done, total.
Report = Callable[[int, int], None]
#: Opens a progress bar under a name.
Progress = Callable[[str], AbstractContextManager[Report]]

#: What is told of the work is at most so old.
TELL_SECONDS = 2.0
#: Two beats may fail before the lease ends.
BEATS = 3
#: After a beat that failed, because the database was away, the next comes this many times sooner.
SOONER = 10
#: Training and scoring report many times a minute; nothing that lives is silent for so long.
STUCK_AFTER_SECONDS = 12 * 3600.0


class Told(NamedTuple):
    """What the work said of itself last."""

    words: str
    done: int
    total: int


class Heartbeat:
    """A thread that renews a lease until the block ends."""

    def __init__(self, store: Store, held: Round, seconds: float) -> None:
        self._store = store
        self._held = held
        self._seconds = seconds
        self._done = threading.Event()
        self._lost = threading.Event()
        self._heard_at = time.monotonic()
        self._told: Told | None = None
        self._thread = threading.Thread(target=self._run, name=f"lease of round {held.number}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """End, and wait for a beat that is under way: after this nothing renews the lease."""
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Say that the work goes on; ask whether the lease is still there, without asking the database.

        Raises:
            RoundBusy: The last beat found it lost.
        """
        self._heard_at = time.monotonic()
        if self._lost.is_set():
            raise overtaken(self._held)

    def tell(self, told: Told | None) -> None:
        """Remember how far the work has come, None if nothing tells; one of the next beats writes it."""
        self._told = told

    def _run(self) -> None:
        due = time.monotonic() + self._seconds / BEATS
        written: Told | None = None
        while not self._done.wait(min(TELL_SECONDS, max(0.0, due - time.monotonic()))):
            now, told = time.monotonic(), self._told
            if now - self._heard_at > STUCK_AFTER_SECONDS:
                due = max(due, now + self._seconds / BEATS / SOONER)
                continue
            if now < due and told == written:
                continue
            try:
                self._write(told, written)
            except RoundBusy:
                self._lost.set()
                return
            except WorkbenchError:
                # The database is away. Nobody else can take the lease from there either.
                due = time.monotonic() + self._seconds / BEATS / SOONER
            else:
                due, written = time.monotonic() + self._seconds / BEATS, told

    def _write(self, told: Told | None, written: Told | None) -> None:
        with self._store.begin() as tx:
            tx.rounds.renew(self._held, self._seconds)
            if told is not None and told != written:
                tx.rounds.tell(self._held, *told)
            elif told is None and written is not None:
                tx.rounds.tell_nothing(self._held)


class Watch:
    """The leases that the threads of this process work under."""

    def __init__(self) -> None:
        self._here = threading.local()

    @contextmanager
    def keep(self, store: Store, held: Round, seconds: float) -> Iterator[None]:
        """Keep the lease inside the block; this thread works under it."""
        before = getattr(self._here, "beat", None)
        with Heartbeat(store, held, seconds) as beat:
            self._here.beat = beat
            try:
                yield
            finally:
                self._here.beat = before

    def check(self) -> None:
        """Stop this thread if the lease that it works under is known to be lost.

        Raises:
            RoundBusy: It is.
        """
        beat: Heartbeat | None = getattr(self._here, "beat", None)
        if beat is not None:
            beat.check()

    def tell(self, told: Told | None) -> None:
        """Say how far this thread's work has come, to whoever watches the round."""
        beat: Heartbeat | None = getattr(self._here, "beat", None)
        if beat is not None:
            beat.tell(told)

    def over(self, progress: Progress) -> Progress:
        """The same progress bars, each report of which asks whether the lease is still there."""

        @contextmanager
        def opened(name: str) -> Iterator[Report]:
            with progress(name) as report:
                self.tell(Told(name, 0, 0))

                def checked(done: int, total: int) -> None:
                    self.check()
                    self.tell(Told(name, done, total))
                    report(done, total)

                try:
                    yield checked
                finally:
                    self.tell(None)

        return opened
