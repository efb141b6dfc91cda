"""Headline: where the project stands, what it has cost, and whether to go on."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.reports.decision import Decision, Heard, decide, heard, named, verb, votes
from workbench.reports.outlook import LEVEL, Outlook, outlook_of, quantiles_of
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.panels.forecast_words import UNLIKELY
from workbench.reports.statistics.forecast import band_of
from workbench.reports.stopping_record import Judged, Says
from workbench.reports.units import Count, Money, RoundNumber, Seconds, Share, Unit
from workbench.reports.unmeasured import under_way, way_on
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundThen

#: A point of accuracy.
POINT = 0.01
SAID = {Says.STOP: "Stop", Says.GO_ON: "Go on", Says.UNKNOWN: "Not enough evidence"}
TONES = {Says.STOP: Tone.WARNING, Says.GO_ON: Tone.NEUTRAL, Says.UNKNOWN: Tone.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Where the project stood when its newest round was closed; totals, with a 95 % interval of the accuracy.

    ``last_point`` is what the last percentage point of accuracy cost, along the fitted curve, with its 90 %
    interval. ``more_labels`` is the middle of what is still needed until the target.
    """

    verdict: str
    target: Share | None
    accuracy: Share | None
    accuracy_low: Share | None
    accuracy_high: Share | None
    held_out: Count
    labels: Count
    more_labels: Count | None
    annotations: Count
    cost: Money
    seconds: Seconds
    last_point: Money | None
    last_point_low: Money | None
    last_point_high: Money | None
    round: RoundNumber | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """Somebody with a say, for or against."""

    reason: str
    says: str
    words: str
    tone: str


class LastPoint(NamedTuple):
    """What the last percentage point has cost."""

    value: float
    low: float
    high: float


class Headline:
    """Target, where we are, what was spent, and the verdict."""

    name = "headline"
    title = "Headline"
    sentence = "Where the project stands, what that has cost, and whether to go on paying."

    def read(self, facts: Facts, view: View) -> Reading:
        """Sum up, and decide by the stated rule."""
        outlook, asked = facts.once(outlook_of), heard(facts)
        decision, cost, running = decide(asked), last_point(outlook), under_way(facts)
        return Reading(
            findings=(
                _verdict(decision, asked),
                _stand(outlook, cost, running),
                *_uncounted(outlook, running),
                *_target(outlook),
                *_disagreement(asked, decision),
            ),
            tables=(
                Table(
                    name="headline",
                    title="Where the project stands",
                    row=Row,
                    rows=[_row(outlook, decision, cost)] if outlook.points else [],
                    empty="No round was closed yet.",
                ),
                Table(
                    name="headline_reasons",
                    title="For and against",
                    row=ReasonRow,
                    rows=[_reason(one) for one in (*asked.limits, asked.worth, *asked.rules)],
                    empty="Nobody has a say yet.",
                ),
            ),
        )


def last_point(outlook: Outlook) -> LastPoint | None:
    """What the last point of accuracy has cost; None where all rounds together brought no more."""
    curves, point = outlook.trusted, outlook.newest
    if curves is None or point is None or point.cost <= 0:
        return None
    before_D = curves.reaching(curves.at([point.labels])[:, 0] - POINT)
    first = curves.points.first * curves.points.unit
    if np.median(before_D) <= first:
        return None
    # Labels that were taken back leave fewer than before: what had been reached counts.
    labels = np.maximum.accumulate([0, *(p.labels for p in outlook.points)])
    costs = [0.0, *(p.cost for p in outlook.points)]
    low, middle, high = band_of(point.cost - np.interp(before_D, labels, costs), LEVEL)
    return LastPoint(float(middle), float(low), float(high))


def _row(outlook: Outlook, decision: Decision, cost: LastPoint | None) -> Row:
    point = outlook.points[-1]
    measured = outlook.measured[-1] if outlook.measured else None
    more_D = outlook.more_until(outlook.terms.target) if outlook.terms.target and outlook.trusted else None
    more = None if more_D is None else quantiles_of(more_D).p50
    return Row(
        verdict=str(decision.says),
        target=outlook.terms.target,
        accuracy=measured.value if measured else None,
        accuracy_low=measured.low if measured else None,
        accuracy_high=measured.high if measured else None,
        held_out=measured.n if measured else 0,
        labels=point.labels,
        more_labels=None if more is None else round(more),
        annotations=point.annotations,
        cost=point.cost,
        seconds=point.seconds,
        last_point=cost.value if cost else None,
        last_point_low=cost.low if cost else None,
        last_point_high=cost.high if cost else None,
        round=point.round_number,
    )


def _verdict(decision: Decision, asked: Heard) -> Finding:
    reached = any(one.rule == "target" and one.says is Says.STOP for one in asked.limits)
    tone = Tone.GOOD if decision.says is Says.STOP and reached else TONES[decision.says]
    because = decision.because[:1].lower() + decision.because[1:]
    return Finding(f"{SAID[decision.says]}: {because}", tone)


def _stand(outlook: Outlook, cost: LastPoint | None, running: RoundThen | None) -> Finding:
    point, currency = outlook.newest, outlook.terms.currency
    if point is None:
        return Finding(f"No round was closed yet: {way_on(running)}.", Tone.UNKNOWN)
    spent = f"{count(point.labels, 'label')} from {count(point.annotations, 'annotation')}"
    money = f" for {in_words(point.cost, Unit.MONEY, currency=currency)}" if point.cost else ""
    time = f" and {in_words(point.seconds, Unit.SECONDS)} of people's time" if point.seconds else ""
    measured = outlook.measured[-1] if outlook.measured else None
    if measured is None:
        return Finding(f"{spent}{money}{time}; no accuracy has been measured.", Tone.UNKNOWN)
    accuracy = interval(measured.value, measured.low, measured.high, Unit.SHARE, n=measured.n)
    last = "" if cost is None else f" The last point of it cost {_money(cost, currency)}."
    return Finding(f"{spent}{money}{time} have brought an accuracy of {accuracy}.{last}")


def _uncounted(outlook: Outlook, running: RoundThen | None) -> list[Finding]:
    """What was paid since the newest point is money, too."""
    if running is None or outlook.newest is None:
        return []
    words = f"Round {running.number} is not over: what it has cost so far is not in these sums"
    return [Finding(f"{words}; `workbench budget show` has it.")]


def _money(cost: LastPoint, currency: str) -> str:
    return interval(cost.value, cost.low, cost.high, Unit.MONEY, currency=currency)


def _target(outlook: Outlook) -> list[Finding]:
    target = outlook.terms.target
    more_D = outlook.more_until(target) if target is not None and outlook.trusted is not None else None
    if target is None or more_D is None:
        return []
    more, chance = quantiles_of(more_D), float(np.isfinite(more_D).mean())
    words = in_words(target, Unit.SHARE)
    if more.p50 is None:
        likely = "likely" if chance < UNLIKELY else "more likely than not"
        return [
            Finding(
                f"{words} is {likely} beyond what the pool can give: the chance of reaching it is "
                f"{in_words(chance, Unit.SHARE)}.",
                Tone.WARNING,
            )
        ]
    if more.p50 == 0:
        return []
    last = "beyond reach" if more.p90 is None else in_words(round(more.p90), Unit.COUNT)
    ends = f"[{in_words(round(more.p10 or 0), Unit.COUNT)} to {last}]"
    labels = count(round(more.p50), "more label")
    sure = f"the chance of reaching it is {in_words(chance, Unit.SHARE)}"
    return [Finding(f"{labels} {ends} should reach {words}; {sure}.")]


def _disagreement(asked: Heard, decision: Decision) -> list[Finding]:
    """Whoever says otherwise."""
    other = {Says.STOP: Says.GO_ON, Says.GO_ON: Says.STOP}.get(decision.says)
    against = votes(asked, other) if other else []
    if not against:
        return []
    return [Finding(f"Not all agree: {named(against)} {verb(against)} {other}.", Tone.WARNING)]


def _reason(one: Judged) -> ReasonRow:
    return ReasonRow(
        reason=one.rule.replace("_", " "), says=str(one.says), words=one.reason, tone=str(TONES[one.says])
    )
