"""Readings that are kept as long as nothing changes, apart for those who see names and those who do not."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from workbench.domain.records import Project
from workbench.reports.chart import Axis, Chart
from workbench.reports.faces.svg import svg
from workbench.reports.panel import View
from workbench.reports.reading import PanelReading, Report, read_report
from workbench.storage.store import Store
from workbench.web.security.visitors import Visitor

#: Some sentences depend on the time alone, as dates of forecasts do.
LONGEST = timedelta(minutes=10)
MOST = 256
#: A page does not wait for a reading that takes longer: it comes after the page.
QUICK_SECONDS = 0.1


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
    """What a panel said, and its pictures as they are drawn."""

    report: Report
    _pen: threading.Lock
    _drawn: dict[str, str] = field(default_factory=dict)

    @property
    def panel(self) -> PanelReading:
        """The panel."""
        return self.report.panels[0]

    def drawing(self, chart: Chart) -> str:
        """A chart as SVG, drawn once."""
        # One at a time: what draws has settings that all threads share.
        with self._pen:
            if chart.name not in self._drawn:
                self._drawn[chart.name] = svg(chart, self.report.terms.currency)
            return self._drawn[chart.name]


class Kept(NamedTuple):
    """What was made, and what the database looked like."""

    pulse: tuple[int | None, ...]
    made_at: datetime
    made: Any


@dataclass(slots=True)
class Readings:
    """A small memory of what panels said."""

    _kept: OrderedDict[Asked, Kept] = field(default_factory=OrderedDict)
    _turns: dict[Asked, threading.Lock] = field(default_factory=dict)
    #: How long it took last, by database, project and what was asked.
    _took: dict[tuple[int, int, str], float] = field(default_factory=dict)
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
        """What one panel says to a visitor; read anew only when something has changed."""
        asked = asked_for(visitor, store, project, panel, view, at)

        def read() -> Said:
            names = visitor.names(store, project)
            report = read_report(store, project, panels=[panel], view=asked.view, at=at, names=names)
            return Said(report, self._pen)

        found: Said = self.once(asked, store, read)
        return found

    def once(self, asked: Asked, store: Store, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made anew only when something has changed."""
        with store.read() as tx:
            pulse, now = tx.pulse, tx.now
        # Many who ask the same at once wait for one reading.
        with self._turn(asked):
            kept = self._kept.get(asked)
            if kept is None or not _holds(kept, pulse, now):
                begun = time.perf_counter()
                kept = Kept(pulse, now, make())
                self._keep(asked, kept, time.perf_counter() - begun)
            return kept.made

    def is_quick(self, asked: Asked, store: Store) -> bool:
        """Whether a page may wait for it: it is there, or was made quickly the last time."""
        took = self._took.get((asked.store, asked.project, asked.what))
        if took is not None and took < QUICK_SECONDS:
            return True
        kept = self._kept.get(asked)
        if kept is None:
            return False
        with store.read() as tx:
            return _holds(kept, tx.pulse, tx.now)

    def _turn(self, asked: Asked) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(asked, threading.Lock())

    def _keep(self, asked: Asked, kept: Kept, seconds: float) -> None:
        with self._lock:
            self._took[(asked.store, asked.project, asked.what)] = seconds
            self._kept[asked] = kept
            self._kept.move_to_end(asked)
            while len(self._kept) > MOST:
                oldest, _ = self._kept.popitem(last=False)
                self._turns.pop(oldest, None)


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


def _holds(kept: Kept, pulse: tuple[int | None, ...], now: datetime) -> bool:
    return kept.pulse == pulse and now - kept.made_at <= LONGEST


def warm_up() -> None:
    """Load what draws charts, which takes a while the first time."""
    nothing = Chart(name="nothing", title="", summary="", x=Axis(title=""), y=Axis(title=""), marks=())
    with suppress(Exception):
        svg(nothing)
