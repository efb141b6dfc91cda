"""How right each annotator is, judged by what is known without them."""

from dataclasses import dataclass

from workbench.domain.annotators import Quality, Share, qualities
from workbench.domain.intervals import Interval, covers_zero
from workbench.domain.records import Project
from workbench.storage.store import Transaction

NAME = "annotator_quality"
TITLE = "How right annotators are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person: ``right`` of ``judged`` answers, ``gold_right`` of the ``gold`` ones among them.

    ``drift`` is the share of the second half of the judged answers minus that of the first.
    """

    annotator: str
    judged: int
    right: float | None
    low: float | None
    high: float | None
    gold: int
    gold_right: float | None
    gold_low: float | None
    gold_high: float | None
    drift: float | None
    drift_low: float | None
    drift_high: float | None
    verdict: str


def rows(tx: Transaction, project: Project) -> list[Row]:
    """One row a person, by name; nobody is judged for rulings."""
    measured = qualities(tx.crowd.all(project.id), tx.crowd.known_labels(project.id))
    return [_row(quality) for quality in measured]


def _row(quality: Quality) -> Row:
    low, high = _ends(quality.agreement)
    gold_low, gold_high = _ends(quality.gold)
    between = quality.drift_interval
    return Row(
        annotator=quality.annotator,
        judged=quality.agreement.n,
        right=quality.agreement.value,
        low=low,
        high=high,
        gold=quality.gold.n,
        gold_right=quality.gold.value,
        gold_low=gold_low,
        gold_high=gold_high,
        drift=quality.drift,
        drift_low=between.low if between else None,
        drift_high=between.high if between else None,
        verdict=_words(between),
    )


def _ends(share: Share) -> tuple[float | None, float | None]:
    return share.interval if share.n else (None, None)


def _words(drift: Interval | None) -> str:
    if drift is None or covers_zero(drift):
        return "no drift shown"
    return "became better" if drift.low > 0 else "became worse"
