"""``workbench run``: rounds that run themselves."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, say


def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Configurations, or folders with projects below them.", show_default=False),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is to be done now, then leave.")] = False,
    webhooks: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Listen here for Label Studio's calls that labels have come."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout for each thing that happens.")
    ] = False,
) -> None:
    """Start, go on with and close rounds as [schedule] says, for any number of projects, until told to leave.

    Each thing that happens is a line on stderr. Start it as often as you like, on as many machines as share
    the database: no round is run twice. SIGTERM or Ctrl-C ends it, and nothing is lost.

    Example: `workbench run /srv/projects --webhooks 0.0.0.0:8091`
    """
    try:
        _run(paths or [DEFAULT_CONFIG], once=once, webhooks=webhooks, as_json=as_json)
    except KeyboardInterrupt:
        # Before the worker hears signals itself, as while torch is loaded.
        say("Told to leave before it had begun.")


def _run(paths: list[Path], *, once: bool, webhooks: str | None, as_json: bool) -> None:
    from workbench.scheduler.diary import Diary
    from workbench.scheduler.worker import Worker

    diary = Diary(_print if as_json else say, as_json=as_json)
    worker = Worker(paths, diary)
    if once:
        if not worker.once():
            raise typer.Exit(1)
        return
    with ExitStack() as stack:
        if webhooks is not None:
            from workbench.scheduler.listening import is_public, listening, read_address

            host, wanted = read_address(webhooks)
            port = stack.enter_context(listening(worker, host, wanted))
            diary.say("listening", f"Label Studio may call at port {port}")
            if is_public(host):
                diary.say(
                    "listening",
                    "Other machines can call this address, and the secret travels as it is: put it behind "
                    "TLS where others can listen on the network",
                )
        worker.run()


def _print(line: str) -> None:
    print(line, flush=True)
