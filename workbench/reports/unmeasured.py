"""Why nothing was measured yet, and what to type: panels that wait for a measurement all say the same."""

from workbench.domain.rounds import FINISHED, RoundState
from workbench.reports.words import count
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundThen

#: Classes that a model needs labels of.
LEAST_CLASSES = 2
NOT_HELD_OUT = (
    "no item is held out to measure on; `workbench pool add PATH --label COLUMN --test-share 0.2` adds some"
)


def under_way(facts: Facts) -> RoundThen | None:
    """The round that is not over, if there is one."""
    return next((one for one in facts.rounds.all() if one.state not in FINISHED), None)


def way_on(running: RoundThen | None) -> str:
    """The command that brings the project on, in a clause."""
    if running is None:
        return "`workbench round ask` begins one"
    command = "resume" if running.state is RoundState.FAILED else "tell"
    return f"`workbench round {command}` goes on with round {running.number}"


def unmeasured(facts: Facts) -> str:
    """What stands in the way of the first measurement, in a clause."""
    running, held_out = under_way(facts), bool(facts.coverage.held_out_by_class())
    if not facts.points.curve():
        return f"no round is closed; {way_on(running)}{'' if held_out else f', and {NOT_HELD_OUT}'}"
    if (seen := sum(map(bool, facts.coverage.by_class().values()))) < LEAST_CLASSES:
        return (
            f"no model was trained, as the labels are of {count(seen, 'class', 'classes')} and it takes "
            f"{LEAST_CLASSES}; another round may bring more"
        )
    if not held_out:
        return NOT_HELD_OUT
    return f"no model was measured on the held-out items yet; {way_on(running)}"
