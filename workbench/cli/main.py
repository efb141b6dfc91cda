"""The command line. Errors become text and an exit code here and nowhere else."""

import io
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import typer

from workbench.cli import (
    adjudicate,
    annotators,
    backup,
    budget,
    database,
    demo,
    labels,
    log,
    pool,
    project,
    report,
    rounds,
    schedule,
    serve,
    token,
)
from workbench.cli.reconcile import reconcile
from workbench.cli.run import run as run_rounds

INTERRUPTED = 130
app = typer.Typer(
    name="workbench",
    help="Choose what to label by mutual information, label it in Label Studio, know what each label bought.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("init")(project.init)
app.command("doctor")(project.doctor)
app.command("adjudicate")(adjudicate.adjudicate)
app.command("report")(report.report)
app.command("log")(log.log)
app.command("run")(run_rounds)
app.command("reconcile")(reconcile)
app.command("serve")(serve.serve)
app.add_typer(pool.app, name="pool")
app.add_typer(rounds.app, name="round")
app.add_typer(schedule.app, name="schedule")
app.add_typer(labels.app, name="labels")
app.add_typer(budget.app, name="budget")
app.add_typer(annotators.app, name="annotators")
app.add_typer(database.app, name="db")
app.add_typer(token.app, name="token")
app.add_typer(backup.app, name="backup")


@app.callback(invoke_without_command=True)
def _options(
    *,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
    debug: bool = typer.Option(False, "--debug", help="Show where an error comes from."),  # noqa: ARG001
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(version_of("active-labeling-workbench"))
        raise typer.Exit


def main() -> None:
    """Run a command; 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    _take_any_letter()
    code = run(sys.argv[1:])
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: reader threads of libraries that are still at work would abort the process at its end.
    os._exit(code)


def _take_any_letter() -> None:
    """Files and pipes get UTF-8 in any locale, and what a terminal can not write is written by its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    # Closed by whoever started this (`>&-`): nobody wants to read it.
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere


def run(arguments: list[str]) -> int:
    """Run a command and give its exit code."""
    # Ended politely is ended like Ctrl-C: servers that were started here are stopped, leases are let go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        app(args=arguments, prog_name="workbench")
    except SystemExit as leave:
        if leave.code == INTERRUPTED:
            _say("Stopped. Nothing is lost: type `workbench round resume`, or the same command, to go on.")
        return leave.code if isinstance(leave.code, int) else 1
    except Exception as error:  # noqa: BLE001  # the outermost place: what is not ours is shown as a defect
        if debug:
            traceback.print_exc()
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    from acquisition.errors import AcquisitionError
    from connectors.errors import ConnectorError
    from workbench.domain.errors import WorkbenchError

    if isinstance(error, (WorkbenchError, ConnectorError, AcquisitionError)):
        _say(str(error))
    elif isinstance(error, OSError) and error.strerror:
        where = f" ({Path(error.filename)})" if error.filename else ""
        _say(
            f"The system says: {error.strerror}{where}. Nothing is lost; mend it and type the command again."
        )
    else:
        _say(
            f"Something unforeseen happened: {type(error).__name__}. Nothing that was recorded is lost. "
            "Type the same command with --debug to see where, and please report it."
        )
    return 1


def _say(text: str) -> None:
    print(f"workbench: {text}", file=sys.stderr)
