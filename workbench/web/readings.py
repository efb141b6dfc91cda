"""Readings that are kept as long as nothing changes, apart for those who see names and those who do not."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from workbench.domain.records import Project
from workbench.reports.chart import Chart
from workbench.reports.faces.svg import svg
from workbench.reports.panel import View
from workbench.reports.reading import PanelReading, Report, read_report
from workbench.storage.store import Store
from workbench.web.security.visitors import Visitor

#: Some sentences depend on the time alone, as dates of forecasts do.
LONGEST = timedelta(minutes=10)
MOST = 256


class Asked(NamedTuple):
    """What was asked for. A reading is never given to somebody with other rights: ``names`` is part of it."""

    store: int
    project: int
    panel: str
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
    """A reading and what the database looked like."""

    pulse: tuple[int | None, ...]
    read_at: datetime
    said: Said


@dataclass(slots=True)
class Readings:
    """A small memory of what panels said."""

    _kept: OrderedDict[Asked, Kept] = field(default_factory=OrderedDict)
    _turns: dict[Asked, threading.Lock] = field(default_factory=dict)
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
        asked = Asked(id(store), project.id, panel, view or View(), at, visitor.sees_names)
        with store.read() as tx:
            pulse, now = tx.pulse, tx.now
        # Many who ask the same at once wait for one reading.
        with self._turn(asked):
            kept = self._kept.get(asked)
            if kept is None or kept.pulse != pulse or now - kept.read_at > LONGEST:
                names = visitor.names(store, project)
                report = read_report(store, project, panels=[panel], view=asked.view, at=at, names=names)
                kept = Kept(pulse, now, Said(report, self._pen))
                self._keep(asked, kept)
            return kept.said

    def _turn(self, asked: Asked) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(asked, threading.Lock())

    def _keep(self, asked: Asked, kept: Kept) -> None:
        with self._lock:
            self._kept[asked] = kept
            self._kept.move_to_end(asked)
            while len(self._kept) > MOST:
                oldest, _ = self._kept.popitem(last=False)
                self._turns.pop(oldest, None)
