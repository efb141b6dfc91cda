"""Charts that are drawn by another process while the panels after them are read."""

import pickle  # noqa: TID251 no artifact: it goes from one of our processes to the other
import subprocess
import sys
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
    """Has charts drawn, one after the other."""

    _drawer: "subprocess.Popen[bytes] | None"
    #: Waits for the drawer in place of those who read.
    _waiting: ThreadPoolExecutor
    #: With the chart itself: as long as it is there, no other one has its place in memory.
    _begun: dict[int, tuple[Chart, Future[str]]] = field(default_factory=dict)

    def draw(self, panel: PanelReading, terms: Terms) -> None:
        """Begin with the charts of a panel."""
        for chart in panel.reading.charts:
            self._begun[id(chart)] = chart, self._waiting.submit(self._drawn, chart, terms.currency)

    def svg(self, chart: Chart, currency: str) -> str:
        """A chart, drawn by now or here."""
        begun = self._begun.get(id(chart))
        return begun[1].result() if begun else svg(chart, currency)

    def _drawn(self, chart: Chart, currency: str) -> str:
        """By the drawer; here where there is none, or none any more."""
        drawer = self._drawer
        if drawer is None or drawer.stdin is None or drawer.stdout is None:
            return svg(chart, currency)
        try:
            pickle.dump((chart, currency), drawer.stdin)
            drawer.stdin.flush()
            found: str = pickle.load(drawer.stdout)  # noqa: S301 from a process that we have started
        except (OSError, EOFError, pickle.UnpicklingError):
            return svg(chart, currency)
        return found


@contextmanager
def drawing_ahead() -> Iterator[Ahead]:
    """Draw ahead inside the block."""
    drawer = _start()
    with ThreadPoolExecutor(1, thread_name_prefix="drawer") as waiting:
        try:
            yield Ahead(drawer, waiting)
        finally:
            waiting.shutdown(cancel_futures=True)
            if drawer is not None:
                drawer.kill()
                drawer.communicate()


def _start() -> "subprocess.Popen[bytes] | None":
    """Start the drawer, by our own interpreter; -P: what lies in the user's directory is not ours."""
    command = [sys.executable, "-P", "-m", "workbench.reports.faces.drawer"]
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    except OSError:
        return None
