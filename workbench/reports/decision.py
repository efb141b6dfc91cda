"""Go on, stop, or not enough evidence: one stated rule over everything that has a say.

1. A cap or the deadline is reached, or the pool is used up: stop.
2. The lower end of the accuracy's interval is at the target: stop.
3. Fewer than three rounds are measured, or they follow no rising curve: not enough evidence.
4. At least two of the rules that compare predictions or accuracies say stop, no more say go on, and a
   quarter more labels would bring little: stop.
5. Else: go on.

Whoever disagrees is named among the reasons.
"""

from typing import NamedTuple

from workbench.reports.limits import judged_caps, judged_deadline, judged_pool, judged_target, judged_worth
from workbench.reports.outlook import Outlook, outlook_of
from workbench.reports.rule_words import told
from workbench.reports.stopping_record import STOPPING, Judged, Says, judged
from workbench.storage.facts.facts import Facts

#: Stopping rules that must agree at least.
AGREEING = 2
#: The kept rule that weighs gain against money.
GAIN = "expected_gain"


class Heard(NamedTuple):
    """Everything that has a say.

    Attributes:
        limits: Target, caps, deadline and the end of the pool, where there are some.
        worth: What more labels are worth, by the forecast.
        rules: What the stopping rules said when the newest round was closed.
        round_number: That round; None where nothing was kept.
    """

    limits: tuple[Judged, ...]
    worth: Judged
    rules: tuple[Judged, ...]
    round_number: int | None
    measured: bool


class Decision(NamedTuple):
    """The verdict, and its ground in a sentence."""

    says: Says
    because: str


def heard(facts: Facts) -> Heard:
    """Ask everybody."""
    outlook = facts.once(outlook_of)
    kept = facts.diagnostics.newest(STOPPING)
    return Heard(
        limits=_limits(outlook),
        worth=judged_worth(outlook),
        rules=tuple(told(one, outlook.terms.currency) for one in judged(kept.content)) if kept else (),
        round_number=kept.round_number if kept else None,
        measured=outlook.trusted is not None,
    )


def _limits(outlook: Outlook) -> tuple[Judged, ...]:
    found = [*judged_caps(outlook), judged_deadline(outlook), judged_target(outlook), judged_pool(outlook)]
    return tuple(one for one in found if one is not None)


def decide(asked: Heard) -> Decision:
    """Apply the rule."""
    for one in asked.limits:
        if one.says is Says.STOP:
            return Decision(Says.STOP, one.reason)
    if not asked.measured:
        return Decision(Says.UNKNOWN, asked.worth.reason)
    stop, go_on = votes(asked, Says.STOP), votes(asked, Says.GO_ON)
    if len(stop) >= AGREEING and len(stop) >= len(go_on) and _little(asked):
        return Decision(Says.STOP, f"{named(stop)} {verb(stop)} stop, and {_uncapital(asked.worth.reason)}")
    if asked.worth.says is Says.STOP:
        # Little to win is no reason to go on: who or what is missing for stopping is.
        why = f"{named(go_on)} {verb(go_on)} go on" if go_on else f"fewer than {AGREEING} rules say stop"
        return Decision(Says.GO_ON, f"{why}, though {_uncapital(asked.worth.reason)}")
    return Decision(Says.GO_ON, asked.worth.reason)


def votes(asked: Heard, says: Says) -> list[str]:
    """Which rules that compare predictions or accuracies say so."""
    return [one.rule for one in asked.rules if one.says is says and one.rule != GAIN]


def named(rules: list[str]) -> str:
    """Rules by their names."""
    return ", ".join(rule.replace("_", " ") for rule in rules)


def verb(rules: list[str]) -> str:
    """One rule says, several say."""
    return "says" if len(rules) == 1 else "say"


def _little(asked: Heard) -> bool:
    weighed = [asked.worth, *(one for one in asked.rules if one.rule == GAIN)]
    return any(one.says is Says.STOP for one in weighed)


def _uncapital(words: str) -> str:
    return words[:1].lower() + words[1:]
