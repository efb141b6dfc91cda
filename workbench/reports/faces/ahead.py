"""Charts that are drawn while the panels after them are read: the database works meanwhile."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from workbench.domain.terms import Terms
from workbench.reports.chart import Chart
from workbench.reports.faces.svg import svg
from workbench.reports.reading import PanelReading


@dataclass(frozen=True, slots=True)
class Ahead:
    """Draws in a thread of its own, one chart after the other."""

    _drawer: ThreadPoolExecutor
    #: With the chart itself: as long as it is there, no other one has its place in memory.
    _begun: dict[int, tuple[Chart, Future[str]]] = field(default_factory=dict)

    def draw(self, panel: PanelReading, terms: Terms) -> None:
        """Begin with the charts of a panel."""
        for chart in panel.reading.charts:
            self._begun[id(chart)] = chart, self._drawer.submit(svg, chart, terms.currency)

    def svg(self, chart: Chart, currency: str) -> str:
        """A chart, drawn by now or here."""
        begun = self._begun.get(id(chart))
        return begun[1].result() if begun else svg(chart, currency)


@contextmanager
def drawing_ahead() -> Iterator[Ahead]:
    """Draw ahead inside the block."""
    with ThreadPoolExecutor(1, thread_name_prefix="drawer") as drawer:
        try:
            yield Ahead(drawer)
        finally:
            drawer.shutdown(cancel_futures=True)
