"""A project that a worker looks after, from look to look: its database stays open, its file is read again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from workbench.bootstrap import ensure_project
from workbench.config.load import load_settings
from workbench.config.model import Settings
from workbench.domain.errors import ProjectProblem, WorkbenchError
from workbench.domain.records import Project
from workbench.domain.schedule import is_due, pause_after
from workbench.scheduler.acts import TIDY_EVERY
from workbench.scheduler.bench import Bench
from workbench.scheduler.diary import Diary
from workbench.scheduler.look import claim, look
from workbench.steps.mending import in_words
from workbench.storage.store import Store, open_store

#: Seconds on a clock that only runs forward.
Ticking = Callable[[], float]
LONGEST = timedelta(minutes=1)
#: Device and number.
FileId = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A project as it was when its file was read last."""

    settings: Settings
    store: Store
    project: Project
    #: Which file the database is, where it is one: another may be put in its place.
    file: FileId | None


class Watched:
    """One project of a worker. What it remembers is for speed only; what counts is in the database."""

    def __init__(self, path: Path, worker: str, diary: Diary, ticking: Ticking) -> None:
        self.path = path
        self.opened: Opened | None = None
        self._worker = worker
        self._diary = diary
        self._ticking = ticking
        self._failures = 0
        self._not_before = 0.0
        self._tidied: float | None = None
        self._used: Store | None = None

    @property
    def busy(self) -> bool:
        """Whether a transaction is open in this thread."""
        stores = [self.opened.store if self.opened else None, self._used]
        return any(store.busy for store in stores if store is not None)

    @property
    def name(self) -> str:
        """The project's name, or its file's while that can not be read."""
        return self.opened.project.name if self.opened else str(self.path)

    def is_due(self) -> bool:
        """Whether it is to be looked at now; asks the database, cheaply."""
        if self._ticking() < self._not_before:
            return False
        if self.opened is None:
            return True
        every = timedelta(seconds=self.opened.settings.config.schedule.look_every)
        try:
            with self.opened.store.read() as tx:
                schedule = tx.schedules.get(self.opened.project.id)
                return schedule is None or is_due(schedule, tx.now, every)
        except WorkbenchError as error:
            self._failed(error)
            return False

    def look(self, *, at_once: bool = False) -> bool:
        """Look, if nobody else does; False if something failed."""
        try:
            bench = self._bench()
            if not claim(bench, at_once=at_once):
                return True
            failure = look(bench, tidy=self._tidies())
        except Exception as error:  # noqa: BLE001  # one project's fault never stops the others
            self._failed(error)
            return False
        self._failures = 0
        return failure is None

    def close(self) -> None:
        """Let go of the database."""
        if self.opened is not None:
            self.opened.store.close()

    def _bench(self) -> Bench:
        opened = self._open()
        return Bench(
            path=self.path,
            settings=opened.settings,
            store=opened.store,
            project=opened.project,
            worker=self._worker,
            diary=self._diary,
            uses=self._uses,
        )

    def _open(self) -> Opened:
        """Read the file again; the database is opened again if it is another one now."""
        settings = load_settings(self.path)
        same = self.opened is not None and self.opened.settings == settings
        if self.opened is not None and same and self.opened.file == _file_of(self.opened.store):
            return self.opened
        store = open_store(settings.database_url, actor=self._worker)
        try:
            store.check()
            _refuse_unknown(store, settings.config.project.name)
            project = ensure_project(store, settings)
        except BaseException:
            store.close()
            raise
        if self.opened is not None and self.opened.settings != settings:
            # Who has changed the file, or .env, has mended something: what failed is tried again now.
            with store.begin() as tx:
                tx.schedules.try_again(project.id)
        self.close()
        self.opened = Opened(settings=settings, store=store, project=project, file=_file_of(store))
        return self.opened

    def _uses(self, store: Store | None) -> None:
        self._used = store

    def _tidies(self) -> bool:
        """Now and then, and the first time."""
        now = self._ticking()
        if self._tidied is not None and now - self._tidied < TIDY_EVERY.total_seconds():
            return False
        self._tidied = now
        return True

    def _failed(self, error: Exception) -> None:
        """What could not even be noted in the database is said once, and tried again soon."""
        self._failures += 1
        pause = pause_after(self._failures, heals=True, coin=0.0)
        # To look at a file, or whether a database is there, costs nothing: whoever mends it waits a minute.
        self._not_before = self._ticking() + min(pause, LONGEST).total_seconds()
        self._diary.say_once("failed", in_words(error), self.name)


def _refuse_unknown(store: Store, name: str) -> None:
    """A worker makes no project: one that it does not find was most likely renamed."""
    with store.read() as tx:
        if tx.projects.get(name) is None:
            raise ProjectProblem(
                f"The database holds no project '{name}'. If it was renamed in workbench.toml, put the old "
                "name back: its rounds and labels go by it. If it is new, type `workbench pool add PATH`."
            )


def _file_of(store: Store) -> FileId | None:
    path = store.file
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
