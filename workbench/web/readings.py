"""Readings that are kept as long as nothing changes, apart for those who see names and those who do not.

Nobody waits long for one: what takes longer is read in the background, and the one before is shown meanwhile,
with the time of which it is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar, cast

from workbench.domain.records import Project
from workbench.domain.roles import Role
from workbench.reports.chart import Axis, Chart
from workbench.reports.faces.svg import svg
from workbench.reports.panel import View
from workbench.reports.panels.catalog import PANELS
from workbench.reports.reading import PanelReading, Report, read_report
from workbench.storage.store import Store
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

#: Some sentences depend on the time alone, as dates of forecasts do.
LONGEST = timedelta(minutes=10)
MOST = 256
#: So long a page waits for a reading; after that it shows the one before, or says that it comes.
PATIENCE_SECONDS = 0.1
#: Programs are given the one before if it is not older than this; else they wait.
RECENT = timedelta(seconds=60)
#: Reading is work for the processor: more at once only makes each of them late.
AT_ONCE = 2

Pulse = tuple[int | None, ...]
T = TypeVar("T")


class Asked(NamedTuple):
    """What was asked for. A reading is never given to somebody with other rights: ``names`` is part of it."""

    store: int
    project: int
    what: str
    view: View
    at: datetime | None
    names: bool


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a panel said, its pictures as they are drawn, and what pages make of it."""

    report: Report
    _pen: threading.Lock
    _drawn: dict[str, str] = field(default_factory=dict)
    _made: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def panel(self) -> PanelReading:
        """The panel."""
        return self.report.panels[0]

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes of this reading: the same for everybody, so made once."""
        if what not in self._made:
            self._made[what] = make()
        return cast("T", self._made[what])

    def drawing(self, chart: Chart) -> str:
        """A chart as SVG, drawn once."""
        if chart.name in self._drawn:
            return self._drawn[chart.name]
        # One at a time: what draws has settings that all threads share.
        with self._pen:
            if chart.name not in self._drawn:
                self._drawn[chart.name] = svg(chart, self.report.terms.currency)
            return self._drawn[chart.name]


class Kept(NamedTuple):
    """What was made, and what the database looked like; None where it is to be made again at once."""

    pulse: Pulse | None
    made_at: datetime
    made: Any


class Job(NamedTuple):
    """What is being made: of the database as it looked, or later."""

    pulse: Pulse
    future: Future[Kept]


class Found(NamedTuple):
    """What is kept, and unless it holds, what is being made in its place.

    Attributes:
        late: Something has changed since that was begun.
    """

    kept: Any
    job: Job | None
    late: bool
    now: datetime


class Heard(NamedTuple):
    """What is there to be shown.

    Attributes:
        said: None where nothing has been read yet.
        newer: Whether something has changed since, and is being read.
    """

    said: Said | None
    newer: bool


@dataclass(slots=True)
class Readings:
    """A small memory of what panels said.

    Attributes:
        patience: For how many seconds a page waits.
    """

    patience: float = PATIENCE_SECONDS
    _kept: OrderedDict[Asked, Kept] = field(default_factory=OrderedDict)
    #: What is being read.
    _jobs: dict[Asked, Job] = field(default_factory=dict)
    _readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reader")
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pen: threading.Lock = field(default_factory=threading.Lock)

    def panel(
        self,
        visitor: Visitor,
        store: Store,
        project: Project,
        panel: str,
        view: View | None = None,
        at: datetime | None = None,
    ) -> Said:
        """What one panel says to a visitor as things are now, however long that takes to be read."""
        asked = asked_for(visitor, store, project, panel, view, at)
        found: Said = self.once(asked, store, self._reader(asked, visitor, store, project))
        return found

    def soon(
        self,
        visitor: Visitor,
        store: Store,
        project: Project,
        panel: str,
        view: View | None = None,
        at: datetime | None = None,
        *,
        patience: float | None = None,
        oldest: timedelta | None = None,
    ) -> Heard:
        """What one panel says to a visitor who does not want to wait: the newest that is there.

        Args:
            patience: For how many seconds this visitor waits.
            oldest: Of something older than this the newer one is waited for, as where there is none.
        """
        asked = asked_for(visitor, store, project, panel, view, at)
        held, job, late, now = self._ask(asked, store, self._reader(asked, visitor, store, project))
        if job is None:
            return Heard(held.made, newer=False)
        with suppress(TimeoutError):
            seconds = self.patience if patience is None else patience
            return Heard(self._wait(asked, job, seconds).made, newer=late)
        if oldest is not None and (held is None or now - held.made_at > oldest):
            return Heard(self._wait(asked, job).made, newer=late)
        return Heard(held.made if held else None, newer=True)

    def once(self, asked: Asked, store: Store, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made anew only when something has changed."""
        held, job, late, _ = self._ask(asked, store, make)
        if late and job is not None:
            # What is being made is of before: the next one begins after it.
            with suppress(Exception):
                self._wait(asked, job)
            held, job, _, _ = self._ask(asked, store, make)
        return (held if job is None else self._wait(asked, job)).made

    def begin(self, visitor: Visitor, store: Store, project: Project, panel: str) -> None:
        """Have a panel read before anybody asks for it."""
        asked = asked_for(visitor, store, project, panel)
        self._ask(asked, store, self._reader(asked, visitor, store, project))

    def close(self) -> None:
        """Read nothing more."""
        self._readers.shutdown(cancel_futures=True)

    def _reader(self, asked: Asked, visitor: Visitor, store: Store, project: Project) -> Callable[[], Said]:
        def read() -> Said:
            names = visitor.names(store, project)
            report = read_report(
                store, project, panels=[asked.what], view=asked.view, at=asked.at, names=names
            )
            said = Said(report, self._pen)
            # The one that is seen first is drawn with it: nobody waits for that either.
            for chart in said.panel.reading.charts[:1]:
                said.drawing(chart)
            return said

        return read

    def _ask(self, asked: Asked, store: Store, make: Callable[[], Any]) -> Found:
        with store.read() as tx:
            pulse, now = tx.pulse, tx.now
        with self._lock:
            kept = self._kept.get(asked)
            if kept is not None and _holds(asked, kept, pulse, now):
                self._kept.move_to_end(asked)
                return Found(kept, None, late=False, now=now)
            # Many who ask the same at once wait for one reading.
            job = self._jobs.get(asked)
            if job is None:
                job = self._jobs[asked] = Job(pulse, Future())
                self._readers.submit(self._do, asked, job, now, make)
            return Found(kept, job, late=job.pulse != pulse, now=now)

    def _do(self, asked: Asked, job: Job, now: datetime, make: Callable[[], Any]) -> None:
        try:
            made = make()
        except BaseException as error:  # noqa: BLE001  # whoever waits for it is told
            # Stays until somebody has heard of it.
            job.future.set_exception(error)
            return
        kept = Kept(job.pulse if _is_whole(made, asked, now) else None, now, made)
        with self._lock:
            self._jobs.pop(asked, None)
            self._kept[asked] = kept
            self._kept.move_to_end(asked)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        job.future.set_result(kept)

    def _wait(self, asked: Asked, job: Job, seconds: float | None = None) -> Kept:
        """What a job gives.

        Raises:
            TimeoutError: Not so soon.
        """
        try:
            return job.future.result(seconds)
        finally:
            if job.future.done() and job.future.exception() is not None:
                with self._lock:
                    if self._jobs.get(asked) is job:
                        del self._jobs[asked]


def asked_for(
    visitor: Visitor,
    store: Store,
    project: Project,
    what: str,
    view: View | None = None,
    at: datetime | None = None,
) -> Asked:
    """What is asked for, with the rights of who asks."""
    return Asked(id(store), project.id, what, view or View(), at, visitor.sees_names)


def _holds(asked: Asked, kept: Kept, pulse: Pulse, now: datetime) -> bool:
    if asked.at is not None and asked.at < kept.made_at - LONGEST:
        # Nothing that is written later belongs to that moment.
        return True
    return kept.pulse == pulse and now - kept.made_at <= LONGEST


def _is_whole(made: Any, asked: Asked, now: datetime) -> bool:
    """Whether it says all that could be seen; while somebody writes for long it is of before that."""
    return asked.at is not None or not isinstance(made, Said) or made.report.at >= now


def read_ahead(readings: Readings, places: Sequence[Place], *, hidden: bool) -> None:
    """Read these projects before the first visitor comes; twice if names are ``hidden`` from some."""
    for panel in PANELS:
        for place in places:
            for role in (Role.OPERATOR, Role.VIEWER) if hidden else (Role.OPERATOR,):
                nobody = Visitor(name="nobody", role=role)
                readings.begin(nobody, place.store, place.project, panel.name)


def warm_up() -> None:
    """Load what draws charts, which takes a while the first time."""
    nothing = Chart(name="nothing", title="", summary="", x=Axis(title=""), y=Axis(title=""), marks=())
    with suppress(Exception):
        svg(nothing)
