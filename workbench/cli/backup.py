"""``workbench backup``: create, verify, restore."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

if TYPE_CHECKING:
    from workbench.config.model import Settings
    from workbench.storage.archive import Manifest
    from workbench.storage.backup import Places

app = typer.Typer(
    help="Backups of a whole project: configuration, database, pool, scores, checkpoints.",
    no_args_is_help=True,
)
Archive = Annotated[Path, typer.Argument(help="The backup, a tar file.")]


@app.command()
def create(
    path: Annotated[Path, typer.Argument(help="The tar file to make, or a folder to make it in.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Back up the whole project, also while it is worked on; PostgreSQL is kept as SQLite.

    `.env` and its secrets are left out, features that can be computed again too, and pictures, which stay
    where they are.

    Example: `workbench backup create /backups`
    """
    from workbench.config.load import load_settings
    from workbench.storage.backup import make_backup
    from workbench.storage.store import open_store

    settings, now = load_settings(config), datetime.now(UTC)
    target = path / _name(settings, now) if path.is_dir() else path
    store = open_store(settings.database_url)
    try:
        manifest, copied = make_backup(store, _places(settings, config), target, now=now)
    finally:
        store.close()
    _show(manifest, target, "is made", as_json=as_json)
    for who in [] if as_json else copied.working:
        say(f"At work meanwhile: {who}. The backup holds the moment at which it was begun.")


@app.command()
def verify(path: Archive, as_json: JsonOption = False) -> None:
    """Read a backup whole and compare every byte and every row with what it held when it was made.

    Example: `workbench backup verify /backups/digits.tar`
    """
    from workbench.storage.restore import verify_backup

    _show(verify_backup(path), path, "is whole", as_json=as_json)


@app.command()
def restore(
    path: Archive,
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder.")],
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a new folder, after comparing every byte.

    Example: `workbench backup restore /backups/digits.tar --to digits-again`
    """
    from workbench.storage.restore import restore_backup

    manifest = restore_backup(path, to)
    _show(manifest, to, "is restored", as_json=as_json)
    if not as_json:
        say(f"The database is {to / manifest.database}, the files are in {to / manifest.directory}.")
        say("Put .env back, look with `workbench doctor` there, then `workbench round resume` or `tell`.")


def _name(settings: "Settings", now: datetime) -> str:
    plain = re.sub(r"\W+", "-", settings.config.project.name).strip("-") or "project"
    return f"{plain}-{now:%Y%m%dT%H%M%SZ}.tar"


def _places(settings: "Settings", config: Path) -> "Places":
    from workbench.storage.backup import Places

    prefix = "sqlite:///"
    inside = settings.config.storage.database
    return Places(
        project=settings.config.project.name,
        config=config.resolve(),
        directory=settings.directory.resolve(),
        database=settings.root / inside.removeprefix(prefix) if inside.startswith(prefix) else None,
        left_out=frozenset({"features"}),
    )


def _show(manifest: "Manifest", path: Path, what: str, *, as_json: bool) -> None:
    rows = sum(rows for rows, _digest in manifest.tables.values())
    facts: dict[str, Any] = {
        "path": str(path),
        "project": manifest.project,
        "made_at": manifest.made_at,
        "revision": manifest.revision,
        "rows": rows,
        "files": len(manifest.files),
        "bytes": manifest.size,
    }
    if as_json:
        print_json(facts)
        return
    say(
        f"{path} {what}: project '{manifest.project}' at {manifest.made_at}, {rows} rows, "
        f"{len(manifest.files)} files, {manifest.size / 1e6:.1f} MB."
    )
