"""``workbench pool``: add and stats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    print_json,
    progress_bar,
    say,
    show_table,
)

if TYPE_CHECKING:
    from workbench.steps.ingest import Added

app = typer.Typer(help="What there is to choose from.", no_args_is_help=True)
SHOWN = 20


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder of images, or a CSV or Parquet file.")],
    config: ConfigOption = DEFAULT_CONFIG,
    text: Annotated[str | None, typer.Option(help="The column that holds the text.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns of numbers, separated by commas.")] = None,
    key: Annotated[str | None, typer.Option(help="The column that names the items.")] = None,
    label: Annotated[
        str | None, typer.Option(help="Known labels: a column, or 'folders' for an image folder.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before every key.")] = "",
    encoding: Annotated[str, typer.Option(help="Of a CSV file.")] = "utf-8",
    separator: Annotated[str | None, typer.Option(help="Between the cells of a CSV file.")] = None,
    test_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Hold out this share of the labeled items for testing.")
    ] = 0.0,
    gold: Annotated[
        bool,
        typer.Option("--gold", help="Only to measure annotators: mixed among the tasks, never learnt from."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add images, texts or rows of numbers to the pool; the same source again adds nothing.

    Examples: `workbench pool add photos/ --label folders --test-share 0.2`,
    `workbench pool add sms.csv --text message`
    """
    from workbench.bootstrap import add_to_pool

    if gold and test_share:
        raise typer.BadParameter("Items with --gold are not held out for testing: leave --test-share away.")
    columns = tuple(name.strip() for name in features.split(",")) if features else None
    with progress_bar(f"Reading {path}"):
        added = add_to_pool(
            config,
            path,
            text=text,
            features=columns,
            key=key,
            label=label,
            prefix=prefix,
            encoding=encoding,
            separator=separator,
            test_share=test_share,
            gold=gold,
        )
    if as_json:
        print_json(_json(added))
    else:
        _say_added(added)


@app.command()
def remove(
    keys: Annotated[list[str], typer.Argument(help="The items' keys, as `round show` prints them.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take items out for good: never chosen, trained on or measured on again; their labels are kept.

    Example: `workbench pool remove holiday/0007.png`
    """
    from workbench.bootstrap import remove_from_pool

    remove_from_pool(config, set(keys))
    if as_json:
        print_json({"removed": sorted(set(keys))})
    else:
        say(f"{len(set(keys))} items are out of the pool.")


@app.command()
def stats(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Count what is in the pool: per source, held out, chosen or labeled, and left.

    Example: `workbench pool stats`
    """
    from workbench.cli.reading import open_reading

    with open_reading(config) as (store, project, _settings), store.read() as tx:
        shards = tx.pool.shards(project.id)
        held_out = len(tx.pool.held_out(project.id))
        gold = len(tx.wanted.gold(project.id))
        taken = tx.pool.taken(project.id)
    total = sum(shard.rows for shard in shards)
    if as_json:
        counts = {
            "items": total,
            "held_out": held_out,
            "gold": gold,
            "chosen": taken - held_out - gold,
            "left": total - taken,
        }
        sources = [{"number": s.number, "items": s.rows, "source": s.source} for s in shards]
        print_json({**counts, "shards": sources})
        return
    show_table(["shard", "items", "source"], [[s.number, s.rows, s.source] for s in shards])
    apart = f"{held_out} held out, {f'{gold} of known label, ' if gold else ''}"
    say(f"{total} items: {apart}{taken - held_out - gold} chosen or labeled, {total - taken} left.")


def _json(added: "Added") -> dict[str, object]:
    return {
        "pool": added.pool,
        "test": added.test,
        "gold": added.gold,
        "known": added.known,
        "copies": list(added.copies),
        "broken": [{"key": item.key, "reason": item.reason} for item in added.broken],
    }


def _say_added(added: "Added") -> None:
    if added.gold:
        say(f"{added.gold} items with a known label added, to measure annotators.")
    else:
        say(f"{added.pool} items added to the pool, {added.test} held out for testing.")
    if added.known:
        say(f"{added.known} were there already.")
    if added.copies:
        say(f"{len(added.copies)} exact copies of other items were left out: {_some(added.copies)}")
    if added.broken:
        say(f"{len(added.broken)} could not be read and were left out:")
        for item in added.broken[:SHOWN]:
            say(f"  {item.key}: {item.reason}")
        if len(added.broken) > SHOWN:
            say(f"  and {len(added.broken) - SHOWN} more; type the command with --json to see all.")


def _some(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
