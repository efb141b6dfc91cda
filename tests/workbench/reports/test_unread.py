"""What was damaged by hand, or written by another version, is said in words on all faces."""

import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.made_up import MadeUp
from workbench.reports.faces.document import as_document, as_json
from workbench.reports.faces.html import as_html
from workbench.reports.faces.spreadsheet import as_csv, tables_of
from workbench.reports.faces.terminal import show_panels
from workbench.reports.reading import Report, read_report
from workbench.storage.store import open_store

Damage = Callable[[sqlite3.Connection], object]
PROJECT = MadeUp(rounds=3, batch=20, test_items=100, foreseen=3)


def _every_diagnostic(change: Callable[[dict[str, object]], object]) -> Damage:
    def damage(connection: sqlite3.Connection) -> None:
        for key, content in connection.execute("SELECT id, content FROM diagnostic").fetchall():
            found = change(json.loads(content))
            connection.execute("UPDATE diagnostic SET content = ? WHERE id = ?", (json.dumps(found), key))

    return damage


def _statement(text: str) -> Damage:
    return lambda connection: connection.execute(text)


#: What is done, and panels that can not be read afterwards.
DAMAGES = {
    "predictions cut off": (
        _statement("UPDATE prediction_set SET content = substr(content, 1, 50), right = x'00'"),
        {"coverage", "budget_curve", "savings"},
    ),
    "no JSON": (
        _statement("UPDATE diagnostic SET content = '{oops'"),
        {"calibration", "stopping", "forecast"},
    ),
    "other keys": (_every_diagnostic(lambda found: {f"new {key}": 1 for key in found}), set[str]()),
    "other values": (_every_diagnostic(lambda found: dict.fromkeys(found, "x")), {"calibration", "stopping"}),
    "infinite": (_statement("UPDATE budget_point SET value = 9e999"), {"headline", "forecast"}),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with everything that reports read."""
    path = tmp_path_factory.mktemp("whole") / "workbench.db"
    store = open_store(f"sqlite:///{path}")
    store.upgrade()
    PROJECT.write(store)
    store.close()
    return path


def _read(path: Path) -> Report:
    store = open_store(f"sqlite:///{path}")
    try:
        with store.read() as tx:
            project = tx.projects.get(PROJECT.name)
        assert project is not None
        return read_report(store, project)
    finally:
        store.close()


def _unread(report: Report) -> set[str]:
    return {
        panel.name
        for panel in report.panels
        if any(finding.words.startswith("Not shown: ") for finding in panel.reading.findings)
        and panel.reading.tables[0].row.__name__ == "Unread"
    }


def test_what_is_whole_is_read(whole: Path) -> None:
    assert _unread(_read(whole)) == set()


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_said_in_words_on_all_faces(name: str, whole: Path, tmp_path: Path) -> None:
    damage, lost = DAMAGES[name]
    path = Path(shutil.copy(whole, tmp_path / "workbench.db"))
    with sqlite3.connect(path) as connection:
        damage(connection)
    connection.close()
    found = _read(path)
    assert lost <= _unread(found)
    assert {"annotators", "label_quality", "batch"}.isdisjoint(_unread(found))
    out = io.StringIO()
    show_panels(found.panels, out, "EUR")
    csv = "".join(as_csv(table) for table in tables_of(found))
    for face in (as_json(as_document(found)), as_html(found), csv, out.getvalue()):
        assert not lost or "damaged" in face
        assert "Traceback" not in face
