"""Keep a lease while work runs, and stop that work early when the lease is lost all the same.

A thread of its own renews the lease. What it finds it only remembers: the thread at work asks whenever it
reports how far it is, and stops there. That is a courtesy, which saves time; what keeps a worker that was
overtaken from writing is the fence in each of its transactions.

Work that has not reported for hours is taken to be stuck: its lease is left to end, and another may go on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from workbench.domain.errors import RoundBusy, WorkbenchError
from workbench.domain.rounds import Round, overtaken
from workbench.storage.store import Store

#: Says how far a piece of work has come: done, total.
Report = Callable[[int, int], None]
#: Opens a progress bar under a name.
Progress = Callable[[str], AbstractContextManager[Report]]

#: Two beats may fail before the lease ends.
BEATS = 3
#: After a beat that failed, because the database was away, the next comes this many times sooner.
SOONER = 10
#: Training and scoring report many times a minute; nothing that lives is silent for so long.
STUCK_AFTER_SECONDS = 12 * 3600.0


class Heartbeat:
    """A thread that renews a lease until the block ends."""

    def __init__(self, store: Store, held: Round, seconds: float) -> None:
        self._store = store
        self._held = held
        self._seconds = seconds
        self._done = threading.Event()
        self._lost = threading.Event()
        self._heard_at = time.monotonic()
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

    def _run(self) -> None:
        pause = self._seconds / BEATS
        while not self._done.wait(pause):
            if time.monotonic() - self._heard_at > STUCK_AFTER_SECONDS:
                continue
            try:
                with self._store.begin() as tx:
                    tx.rounds.renew(self._held, self._seconds)
            except RoundBusy:
                self._lost.set()
                return
            except WorkbenchError:
                # The database is away. Nobody else can take the lease from there either.
                pause = self._seconds / BEATS / SOONER
            else:
                pause = self._seconds / BEATS


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

    def over(self, progress: Progress) -> Progress:
        """The same progress bars, each report of which asks whether the lease is still there."""

        @contextmanager
        def opened(name: str) -> Iterator[Report]:
            with progress(name) as report:

                def checked(done: int, total: int) -> None:
                    self.check()
                    report(done, total)

                yield checked

        return opened
