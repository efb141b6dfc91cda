"""``workbench budget``: show, set, reset."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table

if TYPE_CHECKING:
    from workbench.reports.budget_page import BudgetPage, TermRow
    from workbench.steps.terms import Change

TIME = "%Y-%m-%d %H:%M"
app = typer.Typer(help="What may be spent and what for: see and change it.", no_args_is_help=True)


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say which caps and aims hold, who set them, and what is spent and promised of them.

    Example: `workbench budget show`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.budget_page import budget_page

    with open_reading(config) as (store, project, settings), store.read() as tx:
        page = budget_page(tx, project, settings.config)
    if as_json:
        print_json(_json(page))
    else:
        _say_page(page)


@app.command("set")
def change(
    terms: Annotated[list[str], typer.Argument(help="KEY=VALUE, as in max_labels=1500 or max_cost=none.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Change caps and aims at once, without touching workbench.toml; the audit trail says who did.

    Example: `workbench budget set max_labels=1500 deadline=2026-12-31`
    """
    from workbench.config.terms import read_terms

    _change(config, read_terms(_pairs(terms)), (), as_json=as_json)


@app.command()
def reset(
    keys: Annotated[list[str], typer.Argument(help="As in max_labels.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Have workbench.toml say again what holds.

    Example: `workbench budget reset max_labels`
    """
    from workbench.config.terms import check_keys

    check_keys(keys)
    _change(config, {}, keys, as_json=as_json)


def _pairs(terms: Collection[str]) -> dict[str, str]:
    wrong = next((term for term in terms if "=" not in term), None)
    if wrong is not None:
        raise typer.BadParameter(f"'{wrong}' is not KEY=VALUE, as in max_labels=1500.")
    return {key.strip(): value for key, _, value in (term.partition("=") for term in terms)}


def _change(config: Path, changes: Mapping[str, Any], back: Collection[str], *, as_json: bool) -> None:
    from workbench.cli.reading import open_reading
    from workbench.reports.budget_page import budget_page
    from workbench.steps.holders import this_person
    from workbench.steps.terms import change_terms
    from workbench.storage.store import Store

    with open_reading(config) as (store, project, settings):
        mine = Store(store.engine, actor=this_person())
        with mine.begin() as tx:
            changed = change_terms(tx, project, settings.config, changes, back=back)
            page = budget_page(tx, project, settings.config)
    if as_json:
        print_json({**_json(page), "changed": changed.words or None, "notes": list(changed.notes)})
    else:
        _say_change(changed)


def _say_change(changed: "Change") -> None:
    say(f"{changed.words}." if changed.words else "That is how it is already; nothing was changed.")
    for note in changed.notes:
        say(f"{note}.")


def _json(page: "BudgetPage") -> dict[str, Any]:
    return {
        "currency": page.currency,
        "terms": [asdict(row) for row in page.terms],
        "spent": {**page.spent._asdict(), "cost": page.spent_cost},
        "promised": {**page.promised._asdict(), "cost": page.promised_cost},
    }


def _say_page(page: "BudgetPage") -> None:
    used = {
        "max_labels": (page.spent.labels, page.promised.labels),
        "max_cost": (page.spent_cost, page.promised_cost),
        "max_hours": (page.spent.seconds / 3600, page.promised.seconds / 3600),
    }
    rows = []
    for row in page.terms:
        spent, promised = used.get(row.key, (None, None))
        rows.append([row.key, _written(row.value), _source(row), _written(spent), _written(promised)])
    show_table(["term", "holds", "says who", "spent", "promised"], rows)
    say(f"Money is in {page.currency}. Type `workbench budget set KEY=VALUE` to change a term.")


def _written(value: object) -> str | None:
    return (
        None
        if value is None
        else f"{value:.2f}".removesuffix(".00")
        if isinstance(value, float)
        else str(value)
    )


def _source(row: "TermRow") -> str:
    from workbench.steps.terms import shown

    if row.changed_by is None or row.changed_at is None:
        return "workbench.toml" if row.file is not None else "nobody: no limit"
    return f"{row.changed_by}, {row.changed_at:{TIME}} UTC; workbench.toml: {shown(row.file)}"
