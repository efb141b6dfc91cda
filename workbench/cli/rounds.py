"""``workbench round``: ask, tell, list, show, resume, cancel."""

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.adjudicate import say_queue
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
    from workbench.domain.rounds import Round
    from workbench.loop import Told

TIME = "%Y-%m-%d %H:%M:%S"
app = typer.Typer(help="Acquisition rounds: choose a batch, bring its labels in.", no_args_is_help=True)


@app.command()
def ask(
    config: ConfigOption = DEFAULT_CONFIG,
    batch: Annotated[int | None, typer.Option("--batch", "-k", min=1, help="How many items.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score the pool, choose a batch and bring it to the annotators.

    Example: `workbench round ask --batch 20`
    """
    from workbench import loop
    from workbench.bootstrap import open_parts

    with open_parts(config, progress=progress_bar) as parts:
        current = loop.ask(parts, batch)
        _show_batch(parts, current, as_json=as_json)


@app.command()
def tell(
    config: ConfigOption = DEFAULT_CONFIG,
    close: Annotated[bool, typer.Option("--close", help="Go on with the answers that are there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring labels in; when the batch is answered, train, evaluate and record.

    Example: `workbench round tell`
    """
    from workbench import loop
    from workbench.bootstrap import open_parts
    from workbench.steps.adjudicate import queue_state

    with open_parts(config, progress=progress_bar) as parts:
        told = loop.tell(parts, close=close)
        if as_json:
            print_json(_told_json(told))
        else:
            _say_told(told, parts.config.round.close_when)
            if parts.config.annotators.adjudication:
                say_queue(queue_state(parts))


@app.command("list")
def list_rounds(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List all rounds with the states of their tasks.

    Example: `workbench round list`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.faces.document import as_json as in_json
    from workbench.reports.faces.document import rows_of
    from workbench.reports.faces.terminal import show_tables
    from workbench.reports.panel import Table
    from workbench.reports.panels.batch_rounds import round_rows
    from workbench.reports.panels.batch_rows import RoundRow

    with open_reading(config) as (store, project, _settings), store.read() as tx:
        facts = tx.facts(project)
        rows = round_rows(facts, facts.rounds.all())
    if as_json:
        print(in_json({"rounds": rows_of(Table(name="rounds", title="Rounds", row=RoundRow, rows=rows))}))
    elif not rows:
        say("No round yet. Type `workbench round ask` to start one.")
    else:
        shown = [replace(row, error="see `round show`" if row.error else None) for row in rows]
        show_tables([Table(name="rounds", title="Rounds", row=RoundRow, rows=shown)], sys.stdout, "")


@app.command()
def show(
    number: Annotated[int | None, typer.Argument(help="The round's number; the newest if left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show one round: where it stands, each pick, each answer, and what happened when.

    Example: `workbench round show 3`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.round_page import round_page
    from workbench.reports.schedule_page import schedule_page

    with open_reading(config) as (store, project, settings), store.read() as tx:
        page = round_page(tx, project, number)
        page["schedule"] = schedule_page(tx, project, settings.config.schedule.rules)
    if as_json:
        print_json(page)
        return
    _show_page(page)


@app.command()
def resume(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Go on with a round that was interrupted or has failed.

    Example: `workbench round resume`
    """
    from workbench import loop
    from workbench.bootstrap import open_parts

    with open_parts(config, progress=progress_bar) as parts:
        current = loop.resume(parts)
        _show_batch(parts, current, as_json=as_json)


@app.command()
def cancel(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Give the open round up: unanswered items go back to the pool, answers stay.

    Example: `workbench round cancel`
    """
    from workbench import loop
    from workbench.bootstrap import open_parts

    with open_parts(config) as parts:
        current = loop.cancel(parts)
    if as_json:
        print_json({"round": current.number, "state": current.state})
    else:
        say(f"Round {current.number} is cancelled. Its unanswered items are in the pool again.")


def _show_batch(parts: Any, current: "Round", *, as_json: bool) -> None:
    with parts.store.begin() as tx:
        chosen = tx.tasks.selections(current.id)
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    if as_json:
        picked = [asdict(pick) for pick in chosen]
        print_json({"round": current.number, "state": current.state, "picked": picked})
        return
    columns = ["rank", "item", "reason", "score", "predicted"]
    show_table(columns, [[p.rank + 1, p.item_key, p.reason, p.score, p.predicted] for p in chosen])
    say(f"Round {current.number} is '{current.state}', chosen by {current.strategy}.")
    if current.state == "labeling":
        where = f"Label at {link.url}" if link and link.url else "Have the batch labeled"
        say(f"{where}, then type `workbench round tell`.")


def _told_json(told: "Told") -> dict[str, Any]:
    return {
        "pulled": asdict(told.pulled),
        "round": told.round.number if told.round else None,
        "state": told.round.state if told.round else None,
        "progress": asdict(told.progress) if told.progress else None,
    }


def _say_told(told: "Told", close_when: float) -> None:
    pulled = told.pulled
    say(f"{pulled.versions} new or changed annotations, {pulled.labels} labels new or changed.")
    if pulled.strangers:
        say(f"{pulled.strangers} tasks at the labeler are none of ours; they were left alone.")
    if pulled.late:
        say(f"{pulled.late} tasks of cancelled rounds came late; they were taken back.")
    if told.round is None or told.progress is None:
        say("No round is open. Type `workbench round ask` for the next batch.")
        return
    say(f"Round {told.round.number} is '{told.round.state}': {_words(told)}.")
    if told.round.state == "labeling":
        if told.progress.further:
            say(f"{told.progress.further} of the others are in doubt and wait for one more person each.")
        say(
            f"It goes on at {close_when:.0%}. Label more and type `workbench round tell` again, "
            "or `workbench round tell --close` to go on with what is there."
        )


def _words(told: "Told") -> str:
    progress = told.progress
    assert progress is not None
    words = f"{progress.answered} of {progress.total} answered"
    if progress.invalid:
        words += (
            f", {progress.invalid} answered with nothing that can be a label (see `workbench round show`)"
        )
    return words


def _show_page(page: dict[str, Any]) -> None:
    say(f"Round {page['round']}: {page['state']}, batch of {page['batch']}, chosen by {page['chosen_by']}.")
    if page["error"]:
        say(f"It failed: {page['error']}\nType `workbench round resume` when that is mended.")
    if page["held_by"]:
        say(f"Held by {page['held_by']}.")
    for words in page["away"]:
        say(words)
    if page["picks"]:
        show_table(
            [name.replace("_", " ") for name in page["picks"][0]], [list(p.values()) for p in page["picks"]]
        )
    if page["schedule"]["state"] is not None:
        schedule = page["schedule"]
        say(f"{schedule['next'].rstrip('.')}. Looked at next: {schedule['looks_next_at']:{TIME}} UTC.")
    for event in page["events"]:
        say(f"{event['at']:%Y-%m-%d %H:%M:%S}  {event['kind']}: {event['message']}  ({event['actor']})")
