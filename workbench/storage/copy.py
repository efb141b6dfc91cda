"""Copy a database into an empty one, of either kind, and prove row by row that both hold the same.

The source is read in one snapshot, so it may be worked on meanwhile. The target is written in one
transaction: it holds everything, or, after any error or kill, nothing.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from workbench.domain.errors import DatabaseProblem
from workbench.storage.canonical import Content, Tally
from workbench.storage.portable import first_fault
from workbench.storage.store import Store
from workbench.storage.tables import event, metadata, project, round_

BATCH = 1000
Batch = Sequence[sa.Row[Any]]
T = TypeVar("T")


class Copied(NamedTuple):
    """What each table holds in both databases, and who was at work in the source while it was read."""

    tables: Mapping[str, Content]
    working: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(content.rows for content in self.tables.values())


def copy_database(source: Store, target: Store, *, now: datetime) -> Copied:
    """Copy every table; the target gets its tables from the migrations if it has none.

    Raises:
        DatabaseProblem: The two are the same, one is at another revision, the target is not empty, a value
            can not be kept there, or the copy differs. The target is empty then, or as it was.
    """
    _refuse_same(source.engine, target.engine)
    _at_revision(source, "source")
    if _in_words("target", target.status).found is None:
        target.upgrade()
    _at_revision(target, "target")
    with _errors_in_words(), _snapshot(source.engine) as reading:
        contents = {table.name: _look(reading, table, target.engine.dialect.name) for table in _tables()}
        working = _working(reading, now)
        with target.engine.begin() as writing:
            _refuse_filled(writing)
            for table in _tables():
                _fill(reading, writing, table)
            _refuse_different(contents, table_contents(writing))
    return Copied(contents, working)


def table_contents(connection: sa.Connection) -> dict[str, Content]:
    """Count and digest of every table."""
    return {table.name: _look(connection, table, None) for table in _tables()}


def database_contents(store: Store) -> dict[str, Content]:
    """Count and digest of every table, at one moment.

    Raises:
        DatabaseProblem: A table can not be read.
    """
    with _errors_in_words(), _snapshot(store.engine) as connection:
        return table_contents(connection)


def note_everywhere(store: Store, kind: str, message: str, *, now: datetime) -> None:
    """Write an event about the whole database into the audit trail of every project in it."""
    facts = {"at": now, "kind": kind, "message": message, "actor": store.actor}
    with _errors_in_words(), store.engine.begin() as connection:
        for project_id in connection.execute(sa.select(project.c.id).order_by(project.c.id)).scalars().all():
            connection.execute(event.insert().values(project_id=project_id, **facts))


def _tables() -> list[sa.Table]:
    """Every table after those that it refers to."""
    return metadata.sorted_tables


@contextmanager
def _snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Read one moment of a database, however long the reading lasts."""
    options: dict[str, Any] = {"reading": True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as plain:
        connection = plain.execution_options(**options)
        with connection.begin():
            yield connection


def _batches(connection: sa.Connection, table: sa.Table) -> Generator[Batch, None, None]:
    last = None
    statement = sa.select(table).order_by(table.c.id).execution_options(yield_per=BATCH)
    try:
        with connection.execute(statement) as result:
            for batch in result.partitions():
                last = batch[-1][0]
                yield batch
    except (sa.exc.DBAPIError, ValueError, TypeError) as error:
        after = f"after row {last}" if last is not None else "at its beginning"
        raise DatabaseProblem(
            f"Table '{table.name}' can not be read {after}: {_cause(error)}. Nothing was copied. "
            "Mend that row, or restore a backup."
        ) from error


def _look(connection: sa.Connection, table: sa.Table, dialect: str | None) -> Content:
    """Add a table up; with a dialect, refuse what a database of that kind would not keep."""
    tally = Tally(table)
    with closing(_batches(connection, table)) as batches:
        for batch in batches:
            if dialect and (fault := first_fault(dialect, table, batch)):
                raise DatabaseProblem(
                    f"The value in {fault[0]} {fault[1]}. Nothing was copied. Mend that row in the source, "
                    "then type the command again."
                )
            tally.add(batch)
    return tally.content()


def _fill(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> None:
    last = None
    with closing(_batches(reading, table)) as batches:
        for batch in batches:
            writing.execute(table.insert(), [dict(row._mapping) for row in batch])
            last = batch[-1][0]
    if last is not None and writing.dialect.name == "postgresql":
        # Rows were written with their ids, which the counter behind new ids has not seen.
        counter = sa.func.pg_get_serial_sequence(f'"{table.name}"', "id")
        writing.execute(sa.select(sa.func.setval(counter, last)))


def _working(connection: sa.Connection, now: datetime) -> tuple[str, ...]:
    rows = connection.execute(
        sa.select(project.c.name, round_.c.number, round_.c.lease_owner)
        .join(project, project.c.id == round_.c.project_id)
        .where(round_.c.lease_owner.is_not(None), round_.c.lease_until > now)
        .order_by(round_.c.id)
    )
    return tuple(f"round {row.number} of '{row.name}' by {row.lease_owner}" for row in rows)


def _refuse_same(source: sa.Engine, target: sa.Engine) -> None:
    if _place(source.url) == _place(target.url):
        raise DatabaseProblem("Source and target are the same database. Name another one with --to.")


def _place(url: sa.URL) -> tuple[object, ...]:
    if url.get_backend_name() == "sqlite":
        return ("sqlite", Path(url.database or "").resolve())
    return (url.get_backend_name(), url.host or "localhost", url.port or 5432, url.database)


def _at_revision(store: Store, which: str) -> None:
    file = store.engine.url.database if store.engine.dialect.name == "sqlite" else None
    if which == "source" and file and not Path(file).exists():
        raise DatabaseProblem(f"The source, {file}, is not there. Type `workbench db status`.")
    _in_words(which, store.check)


def _in_words(which: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except DatabaseProblem as error:
        raise DatabaseProblem(f"The {which}: {error}") from error


def _refuse_filled(connection: sa.Connection) -> None:
    """Refuse a target that holds anything, and keep everybody else out of it until the copy is whole."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in _tables())
        connection.execute(sa.text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
    for table in _tables():
        if connection.execute(sa.select(table.c.id).limit(1)).first() is not None:
            raise DatabaseProblem(
                f"The target is not empty: its table '{table.name}' holds rows. Nothing was written. "
                "Name an empty database with --to."
            )


def _refuse_different(expected: Mapping[str, Content], found: Mapping[str, Content]) -> None:
    different = [name for name in expected if expected[name] != found[name]]
    if different:
        words = ", ".join(
            f"'{name}' ({expected[name].rows} rows in the source, {found[name].rows} in the copy)"
            for name in different
        )
        raise DatabaseProblem(
            f"The copy differs from the source in {words}. It was taken back and the target is empty. "
            "Please report this; the source is as it was."
        )


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise DatabaseProblem(
            f"The database answered: {_cause(error)}. The copy was taken back; the source is as it was. "
            "Mend that, then type the command again."
        ) from error


def _cause(error: Exception) -> str:
    words = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip()
    return words.splitlines()[0] if words else type(error).__name__
