"""A report as JSON: every table by its name as typed rows, and every panel with what it says."""

import json
import math
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import Any

from workbench.reports.panel import Table
from workbench.reports.reading import PanelReading, Report


def as_document(report: Report) -> dict[str, Any]:
    """One object: ``project``, ``at``, ``terms``, ``panels``, then every table under its own name."""
    tables = {table.name: rows_of(table) for panel in report.panels for table in panel.reading.tables}
    return {
        "project": report.project.name,
        "at": _plain(report.at),
        "terms": {**report.terms.content(), "changed": sorted(report.terms.changed)},
        "panels": [_panel(panel) for panel in report.panels],
        **tables,
    }


def rows_of(table: Table) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them: times in UTC, no number that is none."""
    names = [field.name for field in fields(table.row)]
    return [{name: _plain(getattr(row, name)) for name in names} for row in table.rows]


def as_json(document: Any) -> str:
    """Write JSON that is also safe to look at: what a terminal would obey is written by its code."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def _panel(panel: PanelReading) -> dict[str, Any]:
    return {
        "name": panel.name,
        "title": panel.title,
        "sentence": panel.sentence,
        "findings": [
            {"words": finding.words, "tone": str(finding.tone)} for finding in panel.reading.findings
        ],
        "tables": [table.name for table in panel.reading.tables],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [_plain(inner) for inner in (sorted(value) if isinstance(value, frozenset | set) else value)]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"
