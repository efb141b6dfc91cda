"""A copy of a database holds the same, or it is not there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem
from workbench.domain.records import TaskKind
from workbench.storage import copy
from workbench.storage.copy import copy_database, database_contents
from workbench.storage.store import Store, open_store
from workbench.storage.tables import UtcDateTime, annotation, event, item, metadata, metric, project, round_

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Make = Callable[[str], Store]
WAYS = [
    ("sqlite", "sqlite"),
    pytest.param("sqlite", "postgresql", marks=pytest.mark.postgresql),
    pytest.param("postgresql", "sqlite", marks=pytest.mark.postgresql),
    pytest.param("postgresql", "postgresql", marks=pytest.mark.postgresql),
]


TEXTS = (
    "plain",
    "ünïcode ☃ 🐈‍⬛ עברית",
    "",
    " padded ",
    "'; DROP TABLE item; --",
    "a\\b\n\t\r",
    "é",
    "NULL",
    "\x01\x7f\ufeff",
)
FLOATS = (0.1 + 0.2, 1e-300, -1.7976931348623157e308, 5e-324, 1.0, -0.0, 1 / 3)
LARGE = (2**62, -(2**63), 2**63 - 1, 0, 2**53 + 1)
SMALL = (2**31 - 1, -(2**31), 0, 7)
TIMES = (
    datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
DOCUMENTS: tuple[Any, ...] = (
    {"emoji": "🐙", "nul": "a\x00b", "deep": [{"x": [None, True, 0.1 + 0.2, 1e-300, 2**70]}], "": {}},
    [],
    None,
    {"z": 1, "a": 2, "half": "\ud83d"},
    "text",
    [[[["deep"]]]],
)
COUNT = 7


def fill(connection: sa.Connection, count: int = COUNT) -> None:
    """Put so many rows into every table."""
    for table in metadata.sorted_tables:
        connection.execute(table.insert(), [_row(table, number) for number in range(count)])


def _row(table: sa.Table, number: int) -> dict[str, Any]:
    return {column.name: _value(table, column, number, place) for place, column in enumerate(table.columns)}


def _value(table: sa.Table, column: sa.Column[Any], number: int, place: int) -> Any:
    if column.primary_key:
        return number * 3 + 1
    if column.foreign_keys:
        return number * 3 + 1
    if column.nullable and (number + place) % 3 == 0:
        return None
    if isinstance(column.type, sa.Boolean):
        return bool((number + place) % 2)
    if column.name in ("number", "rank", "revision"):
        return number
    if isinstance(column.type, UtcDateTime):
        return TIMES[(number + place) % len(TIMES)] + timedelta(microseconds=-number)
    if isinstance(column.type, sa.JSON):
        return DOCUMENTS[(number + place) % len(DOCUMENTS)]
    kinds: tuple[tuple[type[Any], tuple[Any, ...]], ...] = (
        (sa.BigInteger, LARGE),
        (sa.Integer, SMALL),
        (sa.Float, FLOATS),
        (sa.LargeBinary, (b"", b"\x00\xff", bytes(range(256)))),
    )
    for kind, values in kinds:
        if isinstance(column.type, kind):
            return values[(number + place) % len(values)]
    text = TEXTS[(number + place) % len(TEXTS)]
    return f"{text}{number}"


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Databases without tables, as many as wanted."""
    opened: list[Store] = []
    names: list[str] = []

    def one(kind: str) -> Store:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / f'{len(opened)}.db'}"
        else:
            server = request.getfixturevalue("postgresql_url")
            names.append(f"t{os.urandom(6).hex()}")
            _administer(server, f'CREATE DATABASE "{names[-1]}"')
            url = server.rpartition("/")[0] + f"/{names[-1]}"
        opened.append(open_store(url))
        return opened[-1]

    yield one
    for store in opened:
        store.close()
    for name in names:
        _administer(request.getfixturevalue("postgresql_url"), f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _filled(make: Make, kind: str, count: int = COUNT) -> Store:
    store = make(kind)
    store.upgrade()
    with store.engine.begin() as connection:
        fill(connection, count)
    return store


def _everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.engine.begin() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]
            for table in metadata.sorted_tables
        }


def _is_empty(store: Store) -> bool:
    return all(not rows for rows in _everything(store).values())


@pytest.mark.parametrize(("from_kind", "to_kind"), WAYS)
def test_every_value_of_every_table_arrives_exactly(make: Make, from_kind: str, to_kind: str) -> None:
    source, target = _filled(make, from_kind), make(to_kind)
    copied = copy_database(source, target, now=NOW)
    expected, found = _everything(source), _everything(target)
    assert found == expected
    assert [list(map(repr, row)) for row in found["annotation"]] == [
        list(map(repr, row)) for row in expected["annotation"]
    ]
    assert {name: content.rows for name, content in copied.tables.items()} == dict.fromkeys(expected, COUNT)
    assert database_contents(target) == copied.tables


@pytest.mark.parametrize(("from_kind", "to_kind"), WAYS)
def test_new_rows_get_ids_beyond_those_that_were_copied(make: Make, from_kind: str, to_kind: str) -> None:
    source, target = _filled(make, from_kind), make(to_kind)
    copy_database(source, target, now=NOW)
    with target.begin() as tx:
        made = tx.projects.ensure("another", kind=TaskKind.TEXT, classes=("a", "b"), seed=1)
        tx.results.note(made.id, "hello", "words")
    with target.engine.begin() as connection:
        for table in (project, event):
            assert connection.execute(sa.select(sa.func.max(table.c.id))).scalar_one() > 3 * COUNT - 2


def test_a_database_without_rows_is_copied_too(make: Make) -> None:
    source, target = make("sqlite"), make("sqlite")
    source.upgrade()
    assert copy_database(source, target, now=NOW).rows == 0
    target.check()


@pytest.mark.parametrize("to_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_target_that_holds_a_single_row_is_left_alone(make: Make, to_kind: str) -> None:
    source, target = _filled(make, "sqlite"), make(to_kind)
    target.upgrade()
    with target.begin() as tx:
        tx.projects.ensure("there already", kind=TaskKind.TEXT, classes=("a", "b"), seed=1)
    before = _everything(target)
    with pytest.raises(DatabaseProblem, match="not empty: its table 'project'"):
        copy_database(source, target, now=NOW)
    assert _everything(target) == before


def test_a_database_is_not_copied_onto_itself(make: Make, tmp_path: Path) -> None:
    source = _filled(make, "sqlite")
    same = open_store(f"sqlite:///{tmp_path}/../{tmp_path.name}/0.db")
    with pytest.raises(DatabaseProblem, match="same database"):
        copy_database(source, same, now=NOW)


@pytest.mark.parametrize("which", ["source", "target"])
@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_another_revision_is_refused_on_either_side(make: Make, which: str, revision: str) -> None:
    stores = {"source": _filled(make, "sqlite"), "target": make("sqlite")}
    stores["target"].upgrade()
    with stores[which].engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": revision})
    with pytest.raises(DatabaseProblem, match=rf"The {which}: .*{revision}"):
        copy_database(stores["source"], stores["target"], now=NOW)
    assert _is_empty(stores["target"])


def test_a_source_that_is_not_there_is_not_made(make: Make, tmp_path: Path) -> None:
    gone = open_store(f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(DatabaseProblem, match=r"gone\.db, is not there"):
        copy_database(gone, make("sqlite"), now=NOW)
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (item.update().where(item.c.id == 4).values(key="a\x00b"), "'item', row 4, column 'key'.*NUL"),
        (item.update().where(item.c.id == 4).values(key="ä" * 1301), "'key' is 2602 bytes long"),
        (round_.update().where(round_.c.id == 7).values(fence=2**31), "'round', row 7.*'fence'.*too large"),
        (round_.update().where(round_.c.id == 7).values(fence=sa.literal_column("'x'")), "no whole number"),
        (
            annotation.update().where(annotation.c.id == 1).values(raw={"x": float("nan")}),
            "'annotation', row 1, column 'raw'.*NaN",
        ),
        (
            annotation.update().where(annotation.c.id == 4).values(label=sa.literal_column("x'ff'")),
            r"'annotation', row 4, column 'label'.*no text",
        ),
    ],
)
def test_a_value_that_postgresql_refuses_is_named_before_anything_is_written(
    make: Make, change: Any, words: str
) -> None:
    source, target = _filled(make, "sqlite"), make("postgresql")
    with source.engine.begin() as connection:
        connection.execute(change)
    with pytest.raises(DatabaseProblem, match=words):
        copy_database(source, target, now=NOW)
    assert _is_empty(target)


@pytest.mark.postgresql
def test_a_number_that_sqlite_refuses_is_named(make: Make) -> None:
    source, target = _filled(make, "postgresql"), make("sqlite")
    with source.engine.begin() as connection:
        connection.execute(metric.update().where(metric.c.id == 4).values(value=float("nan")))
    with pytest.raises(DatabaseProblem, match="'metric', row 4, column 'value' is not a number"):
        copy_database(source, target, now=NOW)
    assert _is_empty(target)


def test_a_row_that_can_not_be_read_is_named(make: Make) -> None:
    source = _filled(make, "sqlite")
    with source.engine.begin() as connection:
        connection.execute(sa.text("UPDATE event SET at = 'yesterday' WHERE id = 4"))
    with pytest.raises(DatabaseProblem, match="'event' can not be read"):
        copy_database(source, make("sqlite"), now=NOW)


@pytest.mark.parametrize("to_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE metric SET value = 0.3 WHERE value > 0.3 AND value < 0.31",
        "DELETE FROM event WHERE id = 1",
        "UPDATE annotation SET updated_at = created_at WHERE id = 4",
    ],
)
def test_a_copy_that_differs_anywhere_is_taken_back(
    make: Make, monkeypatch: pytest.MonkeyPatch, to_kind: str, damage: str
) -> None:
    source, target = _filled(make, "sqlite"), make(to_kind)
    compare = copy.table_contents

    def damaged(connection: sa.Connection) -> Any:
        connection.execute(sa.text(damage))
        return compare(connection)

    monkeypatch.setattr(copy, "table_contents", damaged)
    with pytest.raises(DatabaseProblem, match=r"differs from the source in '(metric|event|annotation)'"):
        copy_database(source, target, now=NOW)
    assert _is_empty(target)


def test_what_is_written_while_the_copy_is_made_is_not_in_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = _filled(make, "sqlite"), make("sqlite")
    before = _everything(source)
    fill_table = copy._fill

    def meanwhile(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> None:
        if table.name == "event":
            with source.begin() as tx:
                tx.results.note(1, "late", "words")
        fill_table(reading, writing, table)

    monkeypatch.setattr(copy, "_fill", meanwhile)
    copy_database(source, target, now=NOW)
    assert _everything(target) == before
    assert len(_everything(source)["event"]) == COUNT + 1


def test_who_is_at_work_is_said(make: Make) -> None:
    source, target = make("sqlite"), make("sqlite")
    source.upgrade()
    with source.begin() as tx:
        ours = tx.projects.ensure("cats", kind=TaskKind.TEXT, classes=("a", "b"), seed=1)
        planned = tx.rounds.plan(ours.id, batch_size=3, seed=9, config={})
        tx.rounds.take(planned.id, "me", 60, is_gone=lambda _owner: False)
    assert copy_database(source, target, now=datetime.now(UTC)).working == ("round 0 of 'cats' by me",)


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
import sqlalchemy as sa
from workbench.storage import copy
from workbench.storage.store import open_store
copy.BATCH = 5
source, target = open_store(sys.argv[1]), open_store(sys.argv[2])
target.upgrade()
left = [int(sys.argv[3])]
def count(*_):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(target.engine, "after_cursor_execute", count)
sa.event.listen(target.engine, "commit", count)
copy.copy_database(source, target, now=datetime.now(UTC))
"""


@pytest.mark.parametrize("to_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
@pytest.mark.parametrize("place", [20, 60])
def test_killed_anywhere_the_target_is_empty_and_the_next_copy_is_whole(
    make: Make, to_kind: str, place: int
) -> None:
    source, target = _filled(make, "sqlite", 23), make(to_kind)
    urls = [store.engine.url.render_as_string(hide_password=False) for store in (source, target)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *urls, str(place)], capture_output=True, check=False, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert _is_empty(target)
    copy_database(source, target, now=NOW)
    assert _everything(target) == _everything(source)
