"""What passes by itself is told from what somebody has to mend; and what was cut off has written nothing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from workbench.domain.errors import DatabaseAway, DatabaseProblem
from workbench.domain.records import Project, TaskKind
from workbench.storage import engine as engines
from workbench.storage import patience
from workbench.storage.faults import problem_of
from workbench.storage.store import Store, Transaction, open_store

#: A sequence goes on counting when the transaction that counted is rolled back.
REFUSE_TWICE = (
    "CREATE SEQUENCE tries",
    """CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN
         IF nextval('tries') < 3 THEN
           RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
         END IF;
         RETURN NEW;
       END $$ LANGUAGE plpgsql""",
    "CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()",
)


@pytest.mark.parametrize("ask", [Store.check, Store.settled, lambda store: store.read().__enter__()])
def test_a_process_that_has_no_connection_left_is_told_so_in_words(
    tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    store.upgrade()
    monkeypatch.setattr(store.engine.pool, "_timeout", 0.01)
    taken = [store.engine.connect() for _ in range(15)]
    with pytest.raises(DatabaseAway, match="All connections of this process"):
        ask(store)
    for connection in taken:
        connection.close()
    store.check()
    store.close()


def _project(tx: Transaction, name: str = "digits") -> Project:
    return tx.projects.ensure(name, kind=TaskKind.IMAGE, classes=("a", "b"), seed=1)


def _events(store: Store) -> list[str]:
    with store.begin() as tx:
        rows = tx.rounds._connection.exec_driver_sql("SELECT message FROM event ORDER BY message")
        return [row.message for row in rows]


def _note(tx: Transaction, words: str) -> None:
    tx.results.note(_project(tx).id, "test", words)


@pytest.fixture
def server(own_postgresql: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Store]]:
    monkeypatch.setattr(patience, "PAUSES", (0.01,) * 50)
    with own_postgresql.database() as url:
        store = open_store(url)
        store.upgrade()
        yield own_postgresql, store
        store.close()


def _pid(tx: Transaction) -> int:
    return int(tx.rounds._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


@pytest.mark.postgresql
def test_a_connection_that_is_cut_in_a_transaction_has_written_nothing_and_the_next_one_works(
    server: tuple[Any, Store],
) -> None:
    postgresql, store = server
    with pytest.raises(DatabaseAway, match="workbench round resume"), store.begin() as tx:
        _note(tx, "cut off")
        postgresql.execute(f"SELECT pg_terminate_backend({_pid(tx)})")
        _note(tx, "never")
    assert _events(store) == []
    with store.begin() as tx:
        _note(tx, "after")
    assert _events(store) == ["after"]


@pytest.mark.postgresql
def test_a_server_that_is_restarted_is_not_noticed_between_transactions_and_waited_for_in_one(
    server: tuple[Any, Store],
) -> None:
    postgresql, store = server
    assert _events(store) == []
    postgresql.control("-m", "fast", "restart")
    with store.begin() as tx:
        _note(tx, "first")
    tries = []

    def work(tx: Transaction) -> None:
        tries.append(None)
        _note(tx, "second")
        if len(tries) == 1:
            postgresql.control("-m", "immediate", "restart")

    store.insist(work)
    assert len(tries) > 1
    assert _events(store) == ["first", "second"]


@pytest.mark.postgresql
def test_a_server_that_is_down_is_away_and_one_without_our_database_is_to_be_mended(
    server: tuple[Any, Store],
) -> None:
    postgresql, store = server
    postgresql.control("-m", "fast", "stop")
    try:
        with pytest.raises(DatabaseAway, match="server is up"), store.begin():
            pass
    finally:
        postgresql.control("start")
    absent = open_store(postgresql.url.rpartition("/")[0] + "/absent")
    with pytest.raises(DatabaseProblem, match="absent") as problem, absent.begin():
        pass
    assert not isinstance(problem.value, DatabaseAway)


@pytest.mark.postgresql
def test_a_serialization_failure_is_tried_again_until_it_passes(server: tuple[Any, Store]) -> None:
    _postgresql, store = server
    with store.begin() as tx:
        _project(tx)
        for statement in REFUSE_TWICE:
            tx.rounds._connection.exec_driver_sql(statement)
    with pytest.raises(DatabaseAway, match="could not serialize"), store.begin() as tx:
        _note(tx, "once")
    store.insist(lambda tx: _note(tx, "at last"))
    assert _events(store) == ["at last"]


@pytest.mark.postgresql
def test_of_two_that_wait_for_each_other_both_come_through(server: tuple[Any, Store]) -> None:
    _postgresql, store = server
    with store.begin() as tx:
        ids = {name: _project(tx, name).id for name in ("first", "second")}
    met = threading.Barrier(2, timeout=30)
    victims: list[str] = []

    def lock(one: str, other: str) -> None:
        tries = []

        def work(tx: Transaction) -> None:
            tries.append(None)
            tx.projects.lock(ids[one])
            if len(tries) == 1:
                met.wait()
            else:
                victims.append(one)
            tx.projects.lock(ids[other])
            tx.results.note(ids[one], "test", one)

        store.insist(work)

    threads = [
        threading.Thread(target=lock, args=pair) for pair in (("first", "second"), ("second", "first"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(victims) == 1
    assert _events(store) == ["first", "second"]


@pytest.mark.postgresql
def test_a_process_that_stands_still_in_a_transaction_is_not_waited_for_forever(
    own_postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_SECONDS", 1)
    with (
        own_postgresql.database() as url,
        closing(open_store(url)) as still,
        closing(open_store(url)) as other,
    ):
        still.upgrade()
        with still.begin() as tx:
            project = _project(tx)
        came_through = threading.Event()

        def second() -> None:
            with other.begin() as tx:
                tx.projects.lock(project.id)
                came_through.set()

        thread = threading.Thread(target=second)
        with pytest.raises(DatabaseAway), still.begin() as tx:
            tx.projects.lock(project.id)
            thread.start()
            assert came_through.wait(30)
            _note(tx, "too late")
        thread.join()
        assert _events(still) == []


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Store]]:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(patience, "PAUSES", (0.01,) * 50)
    store = open_store(f"sqlite:///{tmp_path / 'w.db'}")
    store.upgrade()
    yield tmp_path / "w.db", store
    store.close()


def test_a_file_that_another_process_holds_for_too_long_is_away_and_then_there_again(
    sqlite: tuple[Path, Store],
) -> None:
    path, store = sqlite
    assert _events(store) == []
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseAway, match="Another process has held it"), store.begin() as tx:
        _note(tx, "never")
    release = threading.Timer(0.5, lambda: holder.execute("COMMIT"))
    release.start()
    store.insist(lambda tx: _note(tx, "then"))
    release.join()
    assert _events(store) == ["then"]
    holder.close()


def test_patience_ends_and_says_why(sqlite: tuple[Path, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    path, store = sqlite
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseAway, match="locked"):
            store.insist(lambda tx: _note(tx, "never"))
        holder.execute("COMMIT")
    assert _events(store) == []


def test_what_somebody_has_to_mend_is_not_tried_again(sqlite: tuple[Path, Store]) -> None:
    _path, store = sqlite
    tries = []

    def refused(tx: Transaction) -> None:
        tries.append(None)
        tx.results.note(999, "test", "of no project")

    with pytest.raises(DatabaseProblem, match="defect") as problem:
        store.insist(refused)
    assert len(tries) == 1
    assert not isinstance(problem.value, DatabaseAway)


def test_a_disk_without_room_for_working_files_is_named_and_a_server_that_starts_is_waited_for() -> None:
    full = problem_of(sa.exc.OperationalError("", None, sqlite3.OperationalError("disk I/O error")))
    assert "Its disk is full" in str(full)
    starting = Exception("FATAL: the database system is not yet accepting connections")
    assert isinstance(problem_of(sa.exc.OperationalError("", None, starting)), DatabaseAway)


@pytest.mark.parametrize("damage", ["no database", "cut"])
def test_a_file_that_is_damaged_or_no_database_is_answered_with_the_backup(
    tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "workbench.db"
    store = open_store(f"sqlite:///{file}")
    store.upgrade()
    store.close()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"what somebody put here" * 1000)
    with pytest.raises(DatabaseProblem, match=r"backup restore") as caught, closing(store):
        store.check()
        with store.read() as tx:
            assert not tx.pulse
    assert "server" not in str(caught.value)
