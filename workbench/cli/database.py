"""``workbench db``: upgrade, status, copy."""

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table

if TYPE_CHECKING:
    from workbench.storage.copy import Copied

app = typer.Typer(help="The database: its schema, and copies of it.", no_args_is_help=True)


@app.command()
def upgrade(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Bring the database to the newest revision; nothing is lost, and twice is the same as once.

    Example: `workbench db upgrade`
    """
    from workbench.config.load import load_settings
    from workbench.storage.copy import note_everywhere
    from workbench.storage.store import open_store

    with closing(open_store(load_settings(config).database_url, actor=_who())) as store:
        before = store.status()
        after = store.upgrade()
        if not before.current:
            words = f"From revision {before.found} to {after.found}"
            note_everywhere(store, "database-upgraded", words, now=datetime.now(UTC))
    if as_json:
        print_json({"before": before.found, "after": after.found})
    elif before.current:
        say(f"The database is at revision {after.found} already.")
    else:
        say(f"The database went from {before.found or 'empty'} to revision {after.found}.")


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say which revision the database is at, and which one this version needs.

    Example: `workbench db status`
    """
    from workbench.config.load import load_settings
    from workbench.storage.store import open_store

    with closing(open_store(load_settings(config).database_url)) as store:
        found = store.status()
    if as_json:
        print_json({"found": found.found, "needed": found.needed, "current": found.current})
    elif found.current:
        say(f"The database is at revision {found.found}, as it should be.")
    else:
        say(f"The database is at {found.found or 'no revision'}; this version needs {found.needed}.")
        if found.known:
            say("Type `workbench db upgrade`.")
    if not found.current:
        raise typer.Exit(1)


@app.command()
def copy(
    to: Annotated[
        str,
        typer.Option("--to", help="The empty database: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`."),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy the whole database into an empty one, and compare the two row by row.

    The copy is of one moment, and whole or not there at all. For a move, stop the workers first. The
    password of a PostgreSQL server need not be typed: it may stand in `~/.pgpass` or `PGPASSWORD`.

    Example: `workbench db copy --to postgresql://workbench@db.example.com/workbench`
    """
    from workbench.config.load import load_settings
    from workbench.storage.copy import copy_database, note_everywhere
    from workbench.storage.store import open_store

    source, target = open_store(load_settings(config).database_url), open_store(to, actor=_who())
    try:
        copied = copy_database(source, target, now=datetime.now(UTC))
        words = f"{copied.rows} rows from {source.engine.dialect.name}, compared row by row and equal"
        note_everywhere(target, "database-copied", words, now=datetime.now(UTC))
    finally:
        source.close()
        target.close()
    _show_copied(copied, as_json=as_json)


def _show_copied(copied: "Copied", *, as_json: bool) -> None:
    if as_json:
        tables = {name: {**content._asdict(), "equal": True} for name, content in copied.tables.items()}
        print_json({"tables": tables, "rows": copied.rows, "working": list(copied.working)})
        return
    show_table(["table", "rows", "equal"], [[n, c.rows, "yes"] for n, c in copied.tables.items()])
    say(f"{copied.rows} rows were copied; every table is equal row by row.")
    for who in copied.working:
        say(f"At work meanwhile: {who}. What it writes from now on is not in the copy.")


def _who() -> str:
    from workbench.steps.holders import this_person

    return this_person()
