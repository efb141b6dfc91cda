"""What versions before revision 0003 did not keep: reports say so, and make nothing up."""

from workbench.reports.panel import Finding, Tone
from workbench.reports.words import count
from workbench.storage.facts.facts import Facts

#: What savings, coverage and calibration say of their rounds.
NOT_KEPT = (
    "these rounds were closed by a version that did not keep predictions item by item; from now on they are "
    "kept"
)
RULES_NOT_ASKED = (
    "The rounds so far were closed by a version that did not keep what stopping rules said; it is kept from "
    "the next round on."
)


def kept_nothing(facts: Facts) -> bool:
    """Whether held-out items were measured by versions alone that kept no predictions of them."""
    return not facts.predictions.hits() and any(m.split == "test" for _, m in facts.points.metrics())


def as_they_stood(facts: Facts, number: int | None = None) -> list[Finding]:
    """Say which rounds are shown as they stood after the moment, as nobody kept what they went through."""
    later = [
        f"{found.number}"
        for found in facts.rounds.all()
        if found.since > facts.at and number in (None, found.number)
    ]
    if not later:
        return []
    rounds = f"Round {later[0]} is" if len(later) == 1 else f"{count(len(later), 'round')} are"
    named = "" if len(later) == 1 else f" ({', '.join(later)})"
    words = (
        f"{rounds} shown as things stood later{named}: the version of then did not keep when rounds and "
        "tasks came to a state."
    )
    return [Finding(words, Tone.UNKNOWN)]
