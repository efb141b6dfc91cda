"""Charts drawn by another process are those drawn here, and a process that dies takes no chart with it."""

import signal

import pytest

from workbench.reports.faces import ahead
from workbench.reports.faces.ahead import drawing_ahead
from workbench.reports.faces.svg import svg
from workbench.reports.reading import PanelReading, Report


def _panels_with_charts(report: Report) -> list[PanelReading]:
    return [panel for panel in report.panels if panel.reading.charts][:2]


def test_a_chart_drawn_ahead_is_the_chart(any_report: Report) -> None:
    with drawing_ahead() as drawing:
        for panel in _panels_with_charts(any_report):
            drawing.draw(panel, any_report.terms)
        for panel in _panels_with_charts(any_report):
            for chart in panel.reading.charts:
                assert drawing.svg(chart, any_report.terms.currency) == svg(chart, any_report.terms.currency)


@pytest.mark.parametrize("fault", ["killed", "cannot start"])
def test_charts_are_drawn_here_where_no_other_process_draws(
    fault: str, any_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "cannot start":
        monkeypatch.setattr(ahead.sys, "executable", "/nowhere/python")
    with drawing_ahead() as drawing:
        if drawing._drawer is not None:
            drawing._drawer.send_signal(signal.SIGKILL)
            drawing._drawer.wait()
        for panel in _panels_with_charts(any_report):
            drawing.draw(panel, any_report.terms)
            for chart in panel.reading.charts:
                assert drawing.svg(chart, any_report.terms.currency) == svg(chart, any_report.terms.currency)


def test_no_process_is_left_when_reading_fails() -> None:
    with pytest.raises(ZeroDivisionError), drawing_ahead() as drawing:
        drawer = drawing._drawer
        raise ZeroDivisionError
    assert drawer is not None
    assert drawer.returncode is not None
