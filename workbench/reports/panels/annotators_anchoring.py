"""Whether annotators follow the model because they see its answer: shown tasks against blind ones."""

from dataclasses import dataclass

import numpy as np

from workbench.domain.anchoring import Anchoring
from workbench.domain.annotators import Share as Counted
from workbench.domain.intervals import difference
from workbench.reports.chart import Axis, Bars, Chart, Role
from workbench.reports.crowd import Opinions, asked_of
from workbench.reports.panel import Finding, Tone
from workbench.reports.statistics.crowd import Bools
from workbench.reports.units import Count, Points, Share, Unit
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.answers import Shown
from workbench.storage.facts.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Agreement with the model where its answer was shown and where it was not, and the difference."""

    shown_answers: Count
    shown_agreement: Share | None
    blind_answers: Count
    blind_agreement: Share | None
    difference: Points | None
    low: Points
    high: Points
    verdict: str


def rows(facts: Facts, opinions: Opinions) -> list[Row]:
    """One row; none while no task was blind."""
    shown = facts.answers.shown()
    if shown is None or not shown.blind_T.any():
        return []
    found = _anchoring(facts, opinions, shown)
    return [
        Row(
            shown_answers=found.shown.n,
            shown_agreement=found.shown.value,
            blind_answers=found.blind.n,
            blind_agreement=found.blind.value,
            difference=found.difference,
            low=found.interval.low,
            high=found.interval.high,
            verdict=found.verdict,
        )
    ]


def finding(row: Row) -> Finding:
    """What showing does, in a sentence."""
    between = interval(row.difference, row.low, row.high, Unit.POINTS)
    counts = (
        f"they agree with it in {in_words(row.shown_agreement, Unit.SHARE)} of "
        f"{count(row.shown_answers, 'answer')} to tasks that show it and in "
        f"{in_words(row.blind_agreement, Unit.SHARE)} of {count(row.blind_answers, 'answer')} to blind ones"
    )
    if row.verdict == "not shown":
        return Finding(
            f"That annotators follow the model because they see its answer is not shown: {counts}, "
            f"a difference of {between}.",
            Tone.UNKNOWN,
        )
    verb = "follow" if row.verdict == "people follow the model" else "go against"
    return Finding(
        f"Annotators {verb} the model's answer where they see it: {counts}, {between}.", Tone.WARNING
    )


def chart(row: Row) -> Chart:
    """Both shares beside each other."""
    shares = (
        Counted(round((row.shown_agreement or 0) * row.shown_answers), row.shown_answers),
        Counted(round((row.blind_agreement or 0) * row.blind_answers), row.blind_answers),
    )
    return Chart(
        name="annotators_anchoring",
        title="Agreement with the model, its answer shown or not",
        summary=finding(row).words,
        x=Axis(title="task", unit=Unit.TEXT),
        y=Axis(title="answers that agree with the model", unit=Unit.SHARE, low=0, high=1),
        marks=(
            Bars(
                name="agreement",
                labels=("shown", "blind"),
                values=[row.shown_agreement, row.blind_agreement],
                low=[share.interval.low for share in shares],
                high=[share.interval.high for share in shares],
                role=Role.ACTIVE,
            ),
        ),
        across=True,
    )


def _anchoring(facts: Facts, opinions: Opinions, shown: Shown) -> Anchoring:
    """Compare the two kinds of tasks, by counting."""
    answers = asked_of(facts, opinions)
    codes = {label: code for code, label in enumerate(facts.answers.given.labels)}
    tasks_T, blind_T = shown.tasks_T, shown.blind_T
    predicted_T = np.array([codes.get(word, -1) for word in shown.predicted_T.words])[
        shown.predicted_T.codes_N
    ]
    order = np.argsort(tasks_T)
    places = np.minimum(np.searchsorted(tasks_T[order], answers.tasks_V), len(tasks_T) - 1)
    found_V = order[places]
    asked_V = tasks_T[found_V] == answers.tasks_V
    agreed_V = predicted_T[found_V] == answers.labels_V

    def counted(which_V: Bools) -> Counted:
        return Counted(int((agreed_V & which_V).sum()), int(which_V.sum()))

    seen, unseen = counted(asked_V & ~blind_T[found_V]), counted(asked_V & blind_T[found_V])
    return Anchoring(seen, unseen, difference(*seen, *unseen))
