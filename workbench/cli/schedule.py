"""``workbench schedule``: show, pause, resume, now."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table

if TYPE_CHECKING:
    from workbench.domain.records import Project
    from workbench.storage.store import Transaction

#: Workers show signs of life every 20 seconds.
SILENT_SECONDS = 90
TIME = "%Y-%m-%d %H:%M:%S"
app = typer.Typer(
    help="Rounds that run themselves: see, pause, resume, one out of turn.", no_args_is_help=True
)


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say what the schedule does next and why, and which workers live.

    Example: `workbench schedule show`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.schedule_page import schedule_page

    with open_reading(config) as (store, project, settings), store.read() as tx:
        page = schedule_page(tx, project, settings.config.schedule.rules)
    if as_json:
        print_json(page)
    else:
        _say_page(page)


@app.command()
def pause(
    reason: Annotated[str, typer.Argument(help="Why, for whoever wonders.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Start no further round until `workbench schedule resume`; an open round goes on to its end.

    Example: `workbench schedule pause "the annotators are on holiday"`
    """
    with _changing(config, as_json=as_json) as change:
        change.tx.schedules.pause(change.project.id, reason)
        change.note("schedule-paused", f"The schedule was paused: {reason}")
    say("The schedule is paused. Type `workbench schedule resume` to go on.")


@app.command()
def resume(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Start rounds again after a pause or a stop; what would have started meanwhile is not made up for.

    Example: `workbench schedule resume`
    """
    with _changing(config, as_json=as_json) as change:
        change.tx.schedules.resume(change.project.id)
        change.note("schedule-resumed", "The schedule was resumed")
    say("The schedule goes on. If what stopped it is as it was, it stops again and says so.")


@app.command()
def now(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Have a round started now: outside the cron expression and the windows, and during a pause.

    Example: `workbench schedule now`
    """
    from workbench.domain.decisions import refuse_wish

    with _changing(config, as_json=as_json) as change:
        project_id = change.project.id
        refuse_wish(change.tx.schedules.ensure(project_id), change.tx.rounds.unfinished(project_id))
        change.tx.schedules.want(project_id)
        change.note("schedule-wanted", "A round out of turn was asked for")
    say("A round is asked for: the next worker that looks starts it.")


class Change(NamedTuple):
    """A schedule that is being changed, in a transaction."""

    tx: "Transaction"
    project: "Project"
    person: str

    def note(self, kind: str, words: str) -> None:
        """Write into the audit trail, as the person who typed the command."""
        self.tx.results.note(self.project.id, kind, words, actor=self.person)


@contextmanager
def _changing(config: Path, *, as_json: bool) -> Iterator[Change]:
    """Change the schedule in one transaction; with JSON, print what came of it."""
    from workbench.cli.reading import open_reading
    from workbench.reports.schedule_page import schedule_page
    from workbench.steps.holders import this_person

    with open_reading(config) as (store, project, settings):
        with store.begin() as tx:
            tx.projects.lock(project.id)
            tx.schedules.ensure(project.id)
            yield Change(tx, project, this_person())
        if as_json:
            with store.read() as tx:
                print_json(schedule_page(tx, project, settings.config.schedule.rules))


def _say_page(page: dict[str, Any]) -> None:
    say(f"{page['next'].rstrip('.')}.")
    if page["state"] is not None:
        say(f"Looked at last: {page['looked_at']:{TIME}} UTC; next: {page['looks_next_at']:{TIME}} UTC.")
    rows = [[found["name"], found["silent_seconds"], _doing(found)] for found in page["workers"]]
    if rows:
        show_table(["worker", "silent seconds", "what it does"], rows)
    if all(found["silent_seconds"] > SILENT_SECONDS for found in page["workers"]):
        say("No worker is alive. Type `workbench run` to start one.")


def _doing(worker: dict[str, Any]) -> str:
    if worker["silent_seconds"] > SILENT_SECONDS:
        return "no sign of life: it has died, or stands still"
    return worker["doing"] or "waits"
