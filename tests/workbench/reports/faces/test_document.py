"""JSON: every table by its name, exactly, and harmless to look at."""

import json
from dataclasses import fields, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.reports.faces.document import as_document, as_json
from workbench.reports.panels.catalog import PANELS
from workbench.reports.reading import Report

OWN = {"project", "at", "terms", "panels"}


def test_every_table_stands_under_its_name_with_all_its_columns(any_report: Report) -> None:
    document = json.loads(as_json(as_document(any_report)))
    tables = [table for panel in any_report.panels for table in panel.reading.tables]
    assert set(document) == OWN | {table.name for table in tables}
    for table in tables:
        assert len(document[table.name]) == len(table.rows)
        for row in document[table.name]:
            assert list(row) == [field.name for field in fields(table.row)]


def test_panels_say_what_they_found(report: Report) -> None:
    panel = as_document(report)["panels"][0]
    assert (panel["name"], panel["title"], panel["tables"]) == ("headline", "Headline", ["headline"])
    assert [finding["tone"] for finding in panel["findings"]] == [
        "good",
        "neutral",
        "warning",
        "bad",
        "not shown",
    ]


def test_texts_come_back_exactly(report: Report) -> None:
    rows = report.panels[1].reading.tables[1].rows
    found = json.loads(as_json(as_document(report)))["curve_things"]
    assert [row["text"] for row in found] == [row.text for row in rows]


@settings(derandomize=True)
@given(st.dictionaries(st.text(), st.text()))
def test_what_a_terminal_would_obey_is_written_by_its_code(document: dict[str, Any]) -> None:
    text = as_json(document)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert json.loads(text) == json.loads(json.dumps(document))


def test_no_number_is_none(report: Report) -> None:
    panel = report.panels[1]
    table = panel.reading.tables[0]
    odd = replace(table.rows[0], accuracy=float("nan"), cost=float("inf"))
    tables = (replace(table, rows=[odd]),)
    changed = replace(report, panels=(replace(panel, reading=replace(panel.reading, tables=tables)),))
    row = json.loads(as_json(as_document(changed)))["curve"][0]
    assert (row["accuracy"], row["cost"]) == (None, None)


def test_times_are_in_utc(report: Report) -> None:
    assert as_document(report)["at"] == "2026-11-21T12:30:01.000005+00:00"


def test_no_panel_is_named_like_a_part_of_the_document() -> None:
    assert not OWN & {panel.name for panel in PANELS}
