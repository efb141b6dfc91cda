"""The long-lived process: looks at projects when they are due, one after the other, until told to leave.

Polite: SIGTERM and SIGINT let the transaction that is open end, give leases back and leave with 0, all within
seconds: what a database that is locked or away does not take by then is left. What was being computed is
computed again by whoever goes on.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from workbench.domain.errors import ConfigProblem, WorkbenchError
from workbench.scheduler.diary import Diary
from workbench.scheduler.places import find_projects
from workbench.scheduler.watch import Watched

#: How often the databases are asked whether something is due: a wish typed elsewhere waits no longer.
POLL_SECONDS = 2.0
BEAT_SECONDS = 20.0
#: How often folders are searched for projects that are new.
SEARCH_SECONDS = 60.0
#: A transaction that waits for a lock is not waited for much longer than this.
PATIENCE_SECONDS, INSTANT = 5.0, 0.05


class Worker:
    """Looks after projects. ``awake`` is set from anywhere to have it look at once."""

    def __init__(self, paths: Sequence[Path], diary: Diary) -> None:
        self.name = f"worker {socket.gethostname()}:{os.getpid()}"
        self.awake = threading.Event()
        self._leaving = threading.Event()
        self._paths = paths
        self._diary = diary
        self._watched: dict[Path, Watched] = {}
        self._working: Watched | None = None
        self._told = False
        self._patient_until: float | None = None
        self._news = threading.Event()

    @property
    def watched(self) -> list[Watched]:
        """The projects, as they are now."""
        return list(self._watched.values())

    def once(self) -> bool:
        """Look at every project now; False if something failed anywhere."""
        with self._polite():
            self._search()
            failed = [watched for watched in self.watched if not self._look(watched, at_once=True)]
            return not failed

    def run(self) -> None:
        """Look at projects when they are due until told to leave."""
        with self._polite():
            self._search()
            count = "1 project" if len(self._watched) == 1 else f"{len(self._watched)} projects"
            self._diary.say("started", f"{self.name} looks after {count}")
            searched = time.monotonic()
            while not self._leaving.is_set():
                self.awake.clear()
                if time.monotonic() - searched > SEARCH_SECONDS:
                    self._search_again()
                    searched = time.monotonic()
                self._sweep()
                self.awake.wait(POLL_SECONDS)
            self._diary.say("left", f"{self.name} leaves; nothing is lost")

    def _search(self) -> None:
        """Find projects; one whose file is gone is let go of."""
        found = find_projects(self._paths)
        if not found:
            raise ConfigProblem(
                f"There is no workbench.toml below {', '.join(map(str, self._paths))}. "
                "Type `workbench init` to make a project, or name another folder."
            )
        for path in [path for path in self._watched if path not in found]:
            lost = self._watched.pop(path)
            lost.close()
            self._diary.say("gone", "Its file is gone; it is not looked after any more", lost.name)
        for path in found:
            if path not in self._watched:
                self._watched[path] = Watched(path, self.name, self._diary, time.monotonic)

    def _search_again(self) -> None:
        """A folder that is not there for a while, as one of another machine, ends nothing."""
        try:
            self._search()
        except (ConfigProblem, OSError) as error:
            self._diary.say_once("failed", str(error), "worker")

    def _sweep(self) -> None:
        for watched in self.watched:
            if not self._leaving.is_set() and watched.is_due():
                self._look(watched)

    def _look(self, watched: Watched, *, at_once: bool = False) -> bool:
        if self._leaving.is_set():
            return True
        self._working = watched
        self._news.set()
        try:
            return watched.look(at_once=at_once)
        except KeyboardInterrupt:
            return True
        finally:
            self._working = None
            self._news.set()

    @contextmanager
    def _polite(self) -> Iterator[None]:
        """Hear signals, show signs of life, and take both back in the end."""
        with ExitStack() as stack:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
                stack.callback(signal.signal, number, signal.signal(number, self._leave))
            beats = threading.Thread(target=self._beat, name="signs-of-life", daemon=True)
            beats.start()
            try:
                yield
            finally:
                self._leaving.set()
                self._news.set()
                signal.setitimer(signal.ITIMER_REAL, 0)
                beats.join(PATIENCE_SECONDS)
                for watched in self.watched:
                    watched.close()

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        """Stop: at once while idle; at the end of the transaction that is open while at work.

        Work that does not stop, because it waits or because what stops it was swallowed, is told again.
        """
        self._leaving.set()
        self.awake.set()
        if self._working is None:
            return
        now = time.monotonic()
        if self._patient_until is None:
            self._patient_until = now + PATIENCE_SECONDS
        signal.setitimer(signal.ITIMER_REAL, INSTANT)
        if now < self._patient_until and (self._told or self._working.busy):
            return
        self._told = True
        self._patient_until = now + PATIENCE_SECONDS
        raise KeyboardInterrupt

    def _beat(self) -> None:
        while not self._leaving.is_set():
            self._news.wait(BEAT_SECONDS)
            self._news.clear()
            if not self._leaving.is_set():
                self._sign(leaving=False)
        self._sign(leaving=True)

    def _sign(self, *, leaving: bool) -> None:
        working = self._working
        doing = f"at work on {working.name}" if working is not None else None
        told: set[str] = set()
        for opened in [watched.opened for watched in self.watched]:
            if opened is None or opened.settings.database_url in told:
                continue
            told.add(opened.settings.database_url)
            with suppress(WorkbenchError), opened.store.begin() as tx:
                if leaving:
                    tx.workers.gone(self.name)
                else:
                    tx.workers.seen(self.name, doing)
