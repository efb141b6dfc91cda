"""How right and how steady annotators are, and how far they agree: rows of tables about their answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.domain.agreement import Agreement
from workbench.domain.intervals import Interval, covers_zero, difference, wilson
from workbench.reports.panels.annotators_work import each_person, moment
from workbench.reports.statistics.crowd import JudgedVotes, Votes, alpha, kappas
from workbench.reports.units import Count, Person, Points, Share, Time
from workbench.storage.facts.facts import Facts

HOUR = 3_600_000_000
#: A window of time is one of these, the shortest that gives no more of them than ``WINDOWS``.
WIDTHS = (HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 28 * 24 * HOUR)
WINDOWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """One person: ``right`` of ``judged`` answers, ``gold_right`` of the ``gold`` ones among them.

    ``drift`` is the share of the second half of the judged answers minus that of the first.
    """

    annotator: Person
    judged: Count
    right: Share | None
    low: Share | None
    high: Share | None
    gold: Count
    gold_right: Share | None
    gold_low: Share | None
    gold_high: Share | None
    drift: Points | None
    drift_low: Points | None
    drift_high: Points | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Krippendorff's alpha of everybody, or Cohen's kappa of two; ``n`` items that they share."""

    measure: str
    first: Person
    second: Person
    value: float | None
    low: float | None
    high: float | None
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """One person in one window of time: ``right`` of ``judged`` answers."""

    annotator: Person
    since: Time
    judged: Count
    right: Share
    low: Share
    high: Share


def quality_rows(facts: Facts, votes: Votes, judged: JudgedVotes) -> list[QualityRow]:
    """One row a person who gave a valid answer, by name; nobody is judged for rulings."""
    places, right_J = dict(each_person(judged.people_J)), judged.right_J
    nothing = np.zeros(0, np.int64)
    found = [
        _quality(
            facts.names(votes.people[person]),
            right_J[mine].tolist(),
            right_J[mine[judged.gold_J[mine]]].tolist(),
        )
        for person in np.unique(votes.people_V).tolist()
        for mine in [places.get(person, nothing)]
    ]
    return sorted(found, key=lambda row: row.annotator)


def agreement_rows(facts: Facts, votes: Votes) -> list[AgreementRow]:
    """Alpha first, then every two people who share an item; nothing where nobody does."""
    everybody = alpha(votes)
    if everybody.n == 0:
        return []
    pairs = [
        _agreement("kappa", min(names), max(names), pair.kappa)
        for pair in kappas(votes)
        for names in [(facts.names(pair.first), facts.names(pair.second))]
    ]
    # By what people are called here: the order of real names would give made-up ones away.
    pairs.sort(key=lambda row: (row.first, row.second))
    return [_agreement("alpha", "all", "", everybody), *pairs]


def drift_rows(facts: Facts, votes: Votes, judged: JudgedVotes) -> list[DriftRow]:
    """One row a person and window of time in which their answers were judged, by name and time."""
    if len(judged.people_J) == 0:
        return []
    width, right_J = window(judged), judged.right_J
    rows = []
    for person, places in each_person(judged.people_J):
        name = facts.names(votes.people[person])
        starts = judged.moments_J[places] // width * width
        for start in np.unique(starts).tolist():
            right = right_J[places[starts == start]]
            hits, n = int(right.sum()), len(right)
            low, high = wilson(hits, n)
            rows.append(
                DriftRow(annotator=name, since=moment(start), judged=n, right=hits / n, low=low, high=high)
            )
    return sorted(rows, key=lambda row: (row.annotator, row.since))


def window(judged: JudgedVotes) -> int:
    """How many microseconds a window of time lasts, so that a chart has few of them."""
    span = int(judged.moments_J.max() - judged.moments_J.min())
    return next((width for width in WIDTHS if span // width < WINDOWS), WIDTHS[-1])


def _quality(name: str, right: Sequence[bool], gold: Sequence[bool]) -> QualityRow:
    low, high = _ends(right)
    gold_low, gold_high = _ends(gold)
    half = len(right) // 2
    first, second = right[:half], right[half:]
    between = difference(sum(second), len(second), sum(first), len(first)) if half else None
    return QualityRow(
        annotator=name,
        judged=len(right),
        right=_share(right),
        low=low,
        high=high,
        gold=len(gold),
        gold_right=_share(gold),
        gold_low=gold_low,
        gold_high=gold_high,
        drift=sum(second) / len(second) - sum(first) / half if half else None,
        drift_low=between.low if between else None,
        drift_high=between.high if between else None,
        verdict=_words(between),
    )


def _share(right: Sequence[bool]) -> float | None:
    return sum(right) / len(right) if len(right) else None


def _ends(right: Sequence[bool]) -> tuple[float | None, float | None]:
    return wilson(sum(right), len(right)) if len(right) else (None, None)


def _words(drift: Interval | None) -> str:
    if drift is None or covers_zero(drift):
        return "no drift shown"
    return "became better" if drift.low > 0 else "became worse"


def _agreement(measure: str, first: str, second: str, found: Agreement) -> AgreementRow:
    return AgreementRow(
        measure=measure,
        first=first,
        second=second,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
    )
