"""What the numbers about annotators mean, in sentences."""

from collections.abc import Iterator, Sequence

from workbench.domain.intervals import covers_zero, difference
from workbench.reports.panel import Finding, Tone
from workbench.reports.panels.annotators_quality import AgreementRow, QualityRow
from workbench.reports.panels.annotators_work import Row
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval, plain

#: Where agreement beyond chance is commonly taken as reliable, and where it no longer is.
RELIABLE, POOR = 0.8, 0.667
#: Names in one sentence.
MOST_NAMES = 5


def work(rows: Sequence[Row]) -> Iterator[Finding]:
    """Who did how much in what time."""
    made = sum(row.annotations for row in rows)
    active = sum(row.active_seconds for row in rows)
    timed = sum((row.answers_per_hour or 0) * row.active_seconds / 3600 for row in rows)
    words = f"{count(len(rows), 'person has', 'people have')} given {count(made, 'annotation')}"
    if active:
        words += (
            f" in {in_words(active, Unit.SECONDS)} of active time: "
            f"{count(round(timed / active * 3600), 'answer')} an hour"
        )
    yield Finding(f"{words}.")


def dissent(rows: Sequence[QualityRow]) -> Iterator[Finding]:
    """Who disagrees most with the others, where the data shows it."""
    ranked = sorted((row for row in rows if row.judged), key=lambda row: (row.right or 0.0, row.annotator))
    if len(ranked) < 2:
        yield Finding(
            "Who disagrees most is not shown: no two people have answers that can be compared. Let people "
            "share items ([labeler] overlap), or mix in gold items ([annotators] gold_share).",
            Tone.UNKNOWN,
        )
        return
    least, following = ranked[0], ranked[1]
    gap = difference(_hits(least), least.judged, _hits(following), following.judged)
    said = f"{_right(least)} of {count(least.judged, 'answer')} as the others or gold items say"
    other = f"{plain(following.annotator)} with {_right(following)}"
    if covers_zero(gap):
        yield Finding(
            f"Who disagrees most with the others is not shown: {plain(least.annotator)} is lowest with "
            f"{said}, then {other}, and the difference of the two may be chance.",
            Tone.UNKNOWN,
        )
        return
    words = f"{plain(least.annotator)} disagrees most with the others: {said}; next is {other}."
    yield Finding(words, Tone.WARNING)


def agreement(rows: Sequence[AgreementRow]) -> Iterator[Finding]:
    """How reliable the answers are, beyond chance."""
    if not rows or rows[0].value is None:
        yield Finding("Agreement beyond chance is not shown: nobody shares items enough.", Tone.UNKNOWN)
        return
    row = rows[0]
    alpha = interval(row.value, row.low, row.high, Unit.NUMBER)
    words = f"Agreement beyond chance (Krippendorff's alpha) is {alpha} over {count(row.n, 'shared item')}"
    if row.low is not None and row.low >= RELIABLE:
        yield Finding(f"{words}: reliable.", Tone.GOOD)
    elif row.high is not None and row.high < POOR:
        yield Finding(f"{words}: below {POOR:g}, too low to rely on single answers.", Tone.BAD)
    else:
        yield Finding(f"{words}: {RELIABLE:g} is commonly taken as reliable, {POOR:g} as the least.")


def drift(rows: Sequence[QualityRow]) -> Iterator[Finding]:
    """Who became better or worse, where the data shows it."""
    if not any(row.drift is not None for row in rows):
        return
    for verdict, tone in (("became worse", Tone.WARNING), ("became better", Tone.NEUTRAL)):
        if moved := [row for row in rows if row.verdict == verdict]:
            words = f"{_drifts(moved)} {verdict} from the first half of their answers to the second"
            yield Finding(f"{words}; of steady people one in twenty seems to change by chance.", tone)
    if not any(row.verdict.startswith("became") for row in rows):
        yield Finding("That anybody became better or worse is not shown.", Tone.UNKNOWN)


def _drifts(rows: Sequence[QualityRow]) -> str:
    named = [
        f"{plain(row.annotator)} ({interval(row.drift, row.drift_low, row.drift_high, Unit.POINTS)})"
        for row in sorted(rows, key=lambda row: -abs(row.drift or 0.0))[:MOST_NAMES]
    ]
    rest = len(rows) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _right(row: QualityRow) -> str:
    return interval(row.right, row.low, row.high, Unit.SHARE, n=row.judged)


def _hits(row: QualityRow) -> int:
    return round((row.right or 0.0) * row.judged)
