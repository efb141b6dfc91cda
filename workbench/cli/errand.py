"""One piece of work on a project, asked for in the dashboard and done in a process of its own.

``python -m workbench.cli.errand`` reads what to do as JSON on stdin and says how it went as JSON on stdout.
The dashboard's process never loads torch, and a process that dies leaves it standing.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.domain.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.domain.rounds import Round
    from workbench.steps.parts import Parts

UNFORESEEN = (
    "Something unforeseen happened ({}). Nothing that was recorded is lost; `workbench round resume` on the "
    "machine of the dashboard shows more."
)


def main() -> None:
    """Do what stdin says, say how it went, leave."""
    # Told to leave it leaves as by Ctrl-C: leases are given back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    said = run(json.load(sys.stdin))
    try:
        sys.stdout.write(json.dumps(said))
        sys.stdout.flush()
    except BrokenPipeError:
        # The dashboard has been stopped meanwhile; the work is done all the same.
        pass
    # Reader threads of libraries that are still at work would abort the process at its end.
    os._exit(0)


def run(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Do it; what is ours to say is said in words, and of anything else only its kind."""
    from acquisition.errors import AcquisitionError
    from connectors.errors import ConnectorError
    from workbench.bootstrap import open_parts

    try:
        with open_parts(Path(wanted["config"]), actor=wanted["actor"]) as parts:
            return {"done": True, "words": WORKS[wanted["act"]](parts, wanted)}
    except (WorkbenchError, ConnectorError, AcquisitionError) as error:
        return {"done": False, "words": str(error)}
    except KeyboardInterrupt:
        return {
            "done": False,
            "words": "It was told to leave. Nothing is lost: resume the round.",
        }
    except Exception as error:  # noqa: BLE001  # the outermost place; its words may hold anything
        return {"done": False, "words": UNFORESEEN.format(type(error).__name__)}


def _start(parts: "Parts", wanted: Mapping[str, Any]) -> str:
    from workbench import loop

    return _reached(loop.ask(parts, wanted.get("batch")))


def _tell(parts: "Parts", wanted: Mapping[str, Any]) -> str:
    from workbench import loop

    told = loop.tell(parts, close=bool(wanted.get("close")))
    came = f"{told.pulled.versions} new or changed answers came in"
    return f"{came}. {_reached(told.round)}" if told.round else f"{came}; no round is open."


def _close(parts: "Parts", wanted: Mapping[str, Any]) -> str:
    return _tell(parts, {**wanted, "close": True})


def _resume(parts: "Parts", _wanted: Mapping[str, Any]) -> str:
    from workbench import loop

    return _reached(loop.resume(parts))


def _cancel(parts: "Parts", _wanted: Mapping[str, Any]) -> str:
    from workbench import loop

    given_up = loop.cancel(parts)
    return f"Round {given_up.number} was given up; its unanswered items are in the pool again."


def _reconcile(parts: "Parts", _wanted: Mapping[str, Any]) -> str:
    from workbench.steps.reconcile import reconcile

    found = reconcile(parts, fix=True)
    compared = f"{found.tasks_here} tasks here and {found.tasks_there} at the labeler were compared"
    if not found.findings:
        return f"{compared}: no difference."
    left = f"{found.difference} differences are left" if found.difference else "both say the same now"
    return f"{compared}: {left}. `workbench reconcile` names them."


def _reached(current: "Round") -> str:
    where = "with the annotators" if current.state == "labeling" else f"'{current.state}'"
    return f"Round {current.number} is {where}."


WORKS: Mapping[str, Callable[["Parts", Mapping[str, Any]], str]] = {
    "start": _start,
    "tell": _tell,
    "close": _close,
    "resume": _resume,
    "cancel": _cancel,
    "reconcile": _reconcile,
}

if __name__ == "__main__":
    main()
