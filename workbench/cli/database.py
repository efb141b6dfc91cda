"""``workbench db``: upgrade and status."""

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Bring the database to the newest revision; nothing is lost, and twice is the same as once.

    Example: `workbench db upgrade`
    """
    from workbench.config.load import load_settings
    from workbench.storage.store import open_store

    store = open_store(load_settings(config).database_url)
    before = store.status()
    after = store.upgrade()
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

    found = open_store(load_settings(config).database_url).status()
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
