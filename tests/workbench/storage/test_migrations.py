"""A project made by an older version is brought up to date, loses nothing, and goes on."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from workbench.cli.main import run
from workbench.storage import revisions
from workbench.storage.store import open_store
from workbench.storage.tables import metadata

FROZEN = sorted(path for path in (Path(__file__).parent / "databases").iterdir() if path.is_dir())
CLASSES = ("low", "middle", "high", "größer 🐘")
#: What rows that were there before a revision hold in the columns that it added.
ADDED: dict[str, dict[str, dict[str, Any]]] = {
    "0002": {
        "labeler_link": {
            "woken_at": None,
            "away_since": None,
            "attempts": 0,
            "next_attempt_at": None,
            "last_error": None,
        },
        "round": {"released_at": None},
        "task": {"overlap": None, "blind": False},
        "event": {"actor": "workbench"},
    },
    "0003": {
        "project": {"name_key": None},
        "item": {"created_at": None, "removed_at": None, "removed_from": None},
        "round": {"pool_size": None, "progress": None},
        "selection": dict.fromkeys(
            ("proposal", "neighbour", "neighbour_distance", "redundancy", "x", "y"), None
        ),
    },
}
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=FROZEN, ids=lambda path: path.name)
def frozen(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a frozen project's folder, named after its revision."""
    folder: Path = tmp_path / request.param.name
    shutil.copytree(request.param, folder)
    return folder


def _move_to(engine: sa.Engine, revision: str, *, down: bool = False) -> None:
    config = revisions._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def _read(engine: sa.Engine) -> Rows:
    """Everything in the database as it is, whatever its revision."""
    found = sa.MetaData()
    with engine.begin() as connection:
        found.reflect(connection)
        return {
            table.name: [
                dict(row._mapping) for row in connection.execute(sa.select(table).order_by(table.c.id))
            ]
            for table in found.sorted_tables
            if table.name != "alembic_version"
        }


def _plain(rows: Rows) -> Rows:
    """Values as both kinds of database give them, JSON and times as text."""
    return json.loads(json.dumps(rows, default=str))


def _old_part(rows: Rows, before: Rows) -> Rows:
    return {
        name: [{key: row[key] for key in old} for row, old in zip(rows[name], olds, strict=True)]
        for name, olds in before.items()
    }


@pytest.fixture
def on_both(frozen: Path, empty_database_url: str) -> Iterator[sa.Engine]:
    """The frozen rows in a database of each kind, at the frozen revision."""
    source = open_store(f"sqlite:///{frozen / 'workbench.db'}").engine
    engine = open_store(empty_database_url).engine
    _move_to(engine, frozen.name)
    tables = sa.MetaData()
    with source.begin() as reading, engine.begin() as writing:
        tables.reflect(writing)
        for table in tables.sorted_tables:
            if table.name != "alembic_version" and (
                rows := [dict(row._mapping) for row in reading.execute(sa.select(table))]
            ):
                writing.execute(table.insert(), rows)
    yield engine
    source.dispose()
    engine.dispose()


def test_the_upgrade_keeps_every_value_and_old_rows_get_the_defaults(
    frozen: Path, on_both: sa.Engine
) -> None:
    before = _read(on_both)
    assert sum(map(len, before.values())) > 100
    revisions.upgrade(on_both)
    after = _read(on_both)
    assert set(after) == set(metadata.tables)
    assert _plain(_old_part(after, before)) == _plain(before)
    for revision in (name for name in ADDED if name > frozen.name):
        for table, columns in ADDED[revision].items():
            assert before[table], f"the frozen project has no {table}"
            for row in after[table]:
                assert {name: row[name] for name in columns} == columns
    for name in set(after) - set(before):
        assert after[name] == []


def test_of_the_past_is_known_when_facts_were_given_and_when_they_ended(on_both: sa.Engine) -> None:
    """Revision 0003: an answer was received when it was given, and ends with its next version."""
    revisions.upgrade(on_both)
    rows = _read(on_both)
    answers, labels = rows["annotation"], rows["label"]
    for answer in answers:
        assert answer["received_at"] == answer["updated_at"]
        assert answer["superseded_at"] == min(_newer_versions(answer, answers), default=None)
    for label in labels:
        following = [
            other["created_at"]
            for other in labels
            if (other["item_id"], other["revision"]) == (label["item_id"], label["revision"] + 1)
        ]
        assert [label["superseded_at"]] == (following or [None])
        assert label["current"] == (label["superseded_at"] is None)
    assert {bool(row["superseded_at"]) for row in answers} == {True, False}
    assert {bool(row["superseded_at"]) for row in labels} == {True, False}
    closed = {found["id"]: found["updated_at"] for found in rows["round"]}
    for row in [*rows["metric"], *rows["budget_point"]]:
        assert row["created_at"] == closed[row["round_id"]]
    assert rows["metric"]
    assert rows["budget_point"]


def test_only_what_has_an_end_is_written_a_second_time(on_both: sa.Engine) -> None:
    """Otherwise the upgrade of a large PostgreSQL database takes ten times as long."""
    written = {"annotation": 0, "label": 0}

    @sa.event.listens_for(on_both, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        for table in written:
            if statement.startswith(f"UPDATE {table} SET superseded_at"):
                written[table] += cursor.rowcount

    revisions.upgrade(on_both)
    rows = _read(on_both)
    assert written["label"] == sum(row["superseded_at"] is not None for row in rows["label"]) > 0
    versions = Counter(map(_identity, rows["annotation"]))
    assert written["annotation"] == sum(found for found in versions.values() if found > 1) > 0
    assert written["annotation"] < len(rows["annotation"])


def _newer_versions(answer: dict[str, Any], answers: list[dict[str, Any]]) -> list[Any]:
    """When newer versions of an answer were given; of two at one moment the tombstone is the newer."""

    def version(row: dict[str, Any]) -> tuple[Any, bool]:
        return row["updated_at"], row["deleted"]

    same = [row for row in answers if _identity(row) == _identity(answer)]
    return [row["updated_at"] for row in same if version(row) > version(answer)]


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["project_id"], row["labeler"], row["external_id"]


def test_down_and_up_again_keeps_what_the_older_schema_knows(frozen: Path, on_both: sa.Engine) -> None:
    before = _read(on_both)
    revisions.upgrade(on_both)
    upgraded = _read(on_both)
    _move_to(on_both, frozen.name, down=True)
    assert _plain(_read(on_both)) == _plain(before)
    revisions.upgrade(on_both)
    assert _plain(_read(on_both)) == _plain(upgraded)
    with on_both.begin() as connection:
        inspector = sa.inspect(connection)
        for name, table in metadata.tables.items():
            assert {fk["referred_table"] for fk in inspector.get_foreign_keys(name)} == {
                fk.column.table.name for fk in table.foreign_keys
            }


def _type(folder: Path, capture: pytest.CaptureFixture[str], *words: str) -> Any:
    capture.readouterr()
    here = Path.cwd()
    os.chdir(folder)
    try:
        code = run([*words, "--json"])
    finally:
        os.chdir(here)
    out, err = capture.readouterr()
    assert code == 0, err
    return json.loads(out)


def test_an_older_project_is_read_and_worked_on(frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(f"sqlite:///{frozen / 'workbench.db'}")
    before = _read(store.engine)
    assert _type(frozen, capsys, "db", "upgrade")["before"] == frozen.name
    opened = _type(frozen, capsys, "round", "show")
    assert opened["state"] == "labeling"
    chosen = {pick["item"] for pick in opened["picks"]}
    with EmbeddedLabeler(frozen / "data" / "labeler.db") as labeler:
        for name in ("ada", "Бен"):
            person = embedded_annotator(labeler, name)
            while (task := person.next_task("1")) is not None:
                person.annotate(task.task_id, CLASSES[int(str(task.item_key)[-2:]) % 3], seconds=2.0)
    told = _type(frozen, capsys, "round", "tell", "--close")
    assert (told["round"], told["state"]) == (opened["round"], "closed")
    asked = _type(frozen, capsys, "round", "ask")
    assert asked["round"] == opened["round"] + 1
    picked = {pick["item_key"] for pick in asked["picked"] if pick["reason"] != "gold"}
    earlier = {row["key"] for row in before["item"] if row["split"] != "pool"} | chosen
    assert picked & earlier == set()
    after = _read(store.engine)
    kept = {name: rows for name, rows in before.items() if name in ("annotation", "model_run", "event")}
    assert _plain(_old_part({name: after[name][: len(kept[name])] for name in kept}, kept)) == _plain(kept)
    assert len(after["model_run"]) == len(before["model_run"]) + 1
    store.close()
