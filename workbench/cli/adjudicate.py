"""``workbench adjudicate``: bring conflicts to whoever rules on them."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

if TYPE_CHECKING:
    from workbench.steps.adjudicate import Queue


def adjudicate(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Bring answers in, and conflicts to the adjudication queue; say how many wait there, and where.

    `round ask` and `round tell` do the same by themselves.

    Example: `workbench adjudicate`
    """
    from workbench.bootstrap import open_parts
    from workbench.steps.adjudicate import queue_state
    from workbench.steps.gather import gather

    with open_parts(config) as parts:
        gather(parts)
        queue = queue_state(parts)
        switched_on = parts.config.annotators.adjudication
    if as_json:
        print_json(asdict(queue))
        return
    say_queue(queue)
    if not switched_on:
        say("Set adjudication = true under [annotators] in workbench.toml to have conflicts ruled on.")


def say_queue(queue: "Queue") -> None:
    """Say how the queue stands."""
    where = f" at {queue.url}" if queue.url and queue.waiting else ""
    say(f"{queue.waiting} items wait for a ruling{where}; {queue.ruled} were ruled on.")
    if queue.elsewhere:
        say(f"{queue.elsewhere} more labels are in doubt and in no queue.")
