"""``workbench log``: who did what when."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

if TYPE_CHECKING:
    from workbench.cli.reading import Reading
    from workbench.domain.records import Event
    from workbench.storage.diary import Wanted

LOOK_EVERY_SECONDS = 1.0


def log(
    config: ConfigOption = DEFAULT_CONFIG,
    number: Annotated[int | None, typer.Option("--round", help="Of this round only.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Of this kind only, as `label-revised`.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="By this person or worker only.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="From this time on, as `2026-03-01T09:00+01:00`; else UTC.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the audit trail, newest last: every move of a round, every correction, every refused answer.

    With `--follow --json` each event is one line of JSON.

    Example: `workbench log --kind label-revised --limit 20`
    """
    from workbench.cli.reading import open_reading
    from workbench.reports.log import follow_log, read_log

    moment = _moment(since)
    with open_reading(config) as reading, suppress(BrokenPipeError):
        wanted = _wanted(reading, number, kind=kind, actor=actor, since=moment, limit=limit)
        if follow:
            events = follow_log(reading.store, reading.project, wanted, wait=_wait)
            with suppress(KeyboardInterrupt):
                _print(events, as_json=as_json)
        elif as_json:
            found = read_log(reading.store, reading.project, wanted)
            print_json({"events": [asdict(event) for event in found]})
        else:
            _print(read_log(reading.store, reading.project, wanted), as_json=False)


def _print(events: "Iterator[Event]", *, as_json: bool) -> None:
    from workbench.reports.log import in_words

    nothing = True
    for event in events:
        nothing = False
        line = json.dumps(asdict(event), ensure_ascii=False, default=str) if as_json else in_words(event)
        print(line, flush=True)
    if nothing:
        say("Nothing of this is in the log.")


def _wanted(reading: "Reading", number: int | None, **filters: Any) -> "Wanted":
    from workbench.reports.round_page import find_round
    from workbench.storage.diary import Wanted

    if number is None:
        return Wanted(**filters)
    with reading.store.read() as tx:
        return Wanted(round_id=find_round(tx, reading.project, number).id, **filters)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"'{text}' is no time. Expected as in 2026-03-01 or 2026-03-01T09:00+01:00.", param_hint="--since"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _wait() -> None:
    time.sleep(LOOK_EVERY_SECONDS)
