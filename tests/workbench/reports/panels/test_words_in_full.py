"""What panels say in sentences is shown from the first word to the last, on every face."""

import io
import re
from collections.abc import Iterator
from html import escape

import pytest

from tests.fixtures.made_up import MadeUp
from workbench.reports.faces.html import as_html
from workbench.reports.faces.marks import LONGEST
from workbench.reports.faces.terminal import show_tables
from workbench.reports.reading import Report, read_report
from workbench.reports.units import Unit
from workbench.storage.store import Store


@pytest.fixture
def report(store: Store) -> Report:
    MadeUp(rounds=5, batch=30, test_items=200, pool=600).write(store)
    with store.read() as tx:
        (project,) = tx.projects.all()
    return read_report(store, project)


def _sentences(report: Report) -> Iterator[str]:
    for panel in report.panels:
        for table in panel.reading.tables:
            texts = [column.name for column in table.columns if column.unit is Unit.TEXT]
            said = [getattr(row, name) or "" for row in table.rows[:12] for name in texts]
            yield from (each for each in said if " " in each)


def test_no_sentence_is_cut_on_paper_or_in_a_terminal(report: Report) -> None:
    sentences = set(_sentences(report))
    assert any(len(each) > 120 for each in sentences)
    page = as_html(report, lambda _chart, _currency: "")
    out = io.StringIO()
    show_tables([table for panel in report.panels for table in panel.reading.tables], out, "USD")
    # In a narrow column a sentence takes several lines, between what stands beside it.
    words = set(re.sub(r"\s+", " ", out.getvalue()).split(" "))
    for each in sentences:
        assert escape(each, quote=False) in page.replace("&#39;", "'").replace("&#34;", '"')
        assert set(each.split()) <= words, each


def test_no_name_in_a_legend_is_cut(report: Report) -> None:
    names = [
        name
        for panel in report.panels
        for chart in panel.reading.charts
        for mark in chart.marks
        if (name := getattr(mark, "name", ""))
    ]
    assert names
    assert [name for name in names if len(name) > LONGEST] == []
