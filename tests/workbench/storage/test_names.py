"""Who may not see people's names finds them nowhere: not in rows, findings, charts, events or errors."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import MadeUp
from workbench.domain.pseudonyms import hidden_names, unveil, veil
from workbench.domain.records import Project
from workbench.reports.faces.document import as_document, as_json
from workbench.reports.reading import read_report
from workbench.storage.diary import Wanted
from workbench.storage.names import names_for
from workbench.storage.store import Store, open_store
from workbench.storage.tables import event, round_, round_move, terms

PEOPLE = {
    "ada@example.org": 0.02,
    "ada": 0.3,
    "Zoë Müller": 0.05,
    "李雷": 0.05,
    'o\'brien "bob" <bob@example.org>': 0.05,
    "x\x1fy": 0.05,
    "100% [a-z]+ (.*)": 0.05,
}
KEY = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A project whose people have unusual names, which stand in messages and errors too."""
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    opened.upgrade()
    MadeUp(name="a project", people=PEOPLE, rounds=3, batch=30, test_items=50, pool=300, failed=True).write(
        opened
    )
    project = _project(opened)
    words = " and ".join(PEOPLE)
    with opened.begin() as tx:
        for name in PEOPLE:
            tx.results.note(project.id, "label-revised", f"by {words}, said {name}", actor=name)
        tx.terms.change(project.id, {"max_labels": 9})
    with opened.engine.begin() as connection:
        connection.execute(terms.update().values(actor="root-user@host"))
        connection.execute(event.update().where(event.c.kind == "planned").values(actor="root-user@host"))
        connection.execute(round_.update().values(error=f"It failed for {words}"))
        connection.execute(round_move.update().values(error=f"It failed for {words}"))
    yield opened
    opened.close()


def _project(store: Store) -> Project:
    with store.read() as tx:
        project = tx.projects.get("a project")
    assert project is not None
    return project


def _told(store: Store, *, seen: bool) -> str:
    project = _project(store)
    report = read_report(store, project, names=names_for(store, project, seen=seen))
    document = json.loads(as_json(as_document(report)))
    charts = [repr(chart) for panel in report.panels for chart in panel.reading.charts]
    return json.dumps(document, ensure_ascii=False) + "".join(charts)


def test_no_name_is_anywhere_in_a_report_that_hides_them(store: Store) -> None:
    shown, hidden = _told(store, seen=True), _told(store, seen=False)
    for name in [*PEOPLE, "root-user@host"]:
        as_written = json.dumps(name, ensure_ascii=False)[1:-1]
        if name != "ada":
            assert as_written in shown, name
            at = hidden.find(as_written)
            assert at < 0, hidden[max(0, at - 300) : at + 60]
    assert re.search(r"(?<![A-Za-z0-9])ada(?![A-Za-z0-9])", shown)
    assert not re.search(r"(?<![A-Za-z0-9])ada(?![A-Za-z0-9])", hidden)


def test_a_person_is_called_the_same_everywhere_and_after_a_restart(store: Store, tmp_path: Path) -> None:
    project = _project(store)
    first = names_for(store, project, seen=False)
    again = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    second = names_for(again, project, seen=False)
    again.close()
    assert [first(name) for name in PEOPLE] == [second(name) for name in PEOPLE]
    assert len({first(name) for name in PEOPLE}) == len(PEOPLE)
    with store.read() as tx:
        facts = tx.facts(project, None, first)
        event = facts.trail.events(Wanted(actor="ada@example.org"))[0]
    assert event.actor == first("ada@example.org")
    assert event.message.endswith(f"said {first('ada@example.org')}")


def test_made_up_names_follow_from_a_key_that_is_random_for_each_project(store: Store) -> None:
    MadeUp(name="another", rounds=1, batch=5, test_items=5, pool=30).write(store)
    project = _project(store)
    with store.read() as tx:
        other = tx.projects.get("another")
    assert other is not None
    one, two = names_for(store, project, seen=False), names_for(store, other, seen=False)
    assert one("ada") != two("ada")
    with store.engine.connect() as connection:
        keys = connection.execute(sa.text("SELECT name_key FROM project")).scalars().all()
    assert all(len(key) == 64 for key in keys)
    assert len(set(keys)) == 2


def test_the_order_of_rows_does_not_follow_the_real_names(store: Store) -> None:
    project = _project(store)
    names = names_for(store, project, seen=False)
    report = read_report(store, project, names=names, panels=("annotators",))
    rows = next(t for t in report.panels[0].reading.tables if t.name == "annotators").rows
    assert [row.annotator for row in rows] == sorted(names(name) for name in PEOPLE)


def test_a_name_inside_a_longer_word_is_left_and_the_longest_name_goes_first() -> None:
    names = hidden_names(KEY)
    hide = veil(names, ["ann", "ann@example.org", "李雷"])
    assert hide("annual plan of Ann: ann@example.org") == (
        f"annual plan of {names('ann')}: {names('ann@example.org')}"
    )
    assert hide("由李雷裁定") == f"由{names('李雷')}裁定"
    assert veil(names, ["", " "]) is unveil
