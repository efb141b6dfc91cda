"""How sure the labels are, and which to look at again: the rows of tables about labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.domain.annotators import votes as votes_on
from workbench.domain.intervals import wilson
from workbench.domain.records import LabelStatus, TaskState
from workbench.reports.panels.annotators_quality import WIDTHS, WINDOWS
from workbench.reports.panels.annotators_work import moment
from workbench.reports.statistics.crowd import Votes, split_U
from workbench.reports.units import Count, ItemKey, RoundNumber, Share, Time
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.labels import STATUSES, Ruling

#: Rows of a list that somebody goes through.
MOST_DOUBTFUL, MOST_WAITING = 20, 100
#: Where one bin of confidence ends and the next begins; full confidence has a bin of its own.
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: The same of the model's confidence when it chose an item.
DIFFICULTY = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
WAITING, RULED, TAKEN_BACK = "waiting", "ruled", "taken back"
_QUEUE = {TaskState.LABELED: RULED, TaskState.PENDING: WAITING, TaskState.OPEN: WAITING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All labels of one method. ``doubts`` is the sum of 1 − confidence over the agreed ones."""

    method: str
    agreed: Count
    conflicts: Count
    withdrawn: Count
    answers: float | None
    confidence: Share | None
    doubts: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtRow:
    """One item whose annotators disagree, or whose label is not certain; ``doubt`` is 1 − confidence."""

    item: ItemKey
    label: str
    doubt: Share
    answers: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceRow:
    """How many labels have a confidence from ``above`` up to, not including, ``below``; null where all do."""

    above: Share
    below: Share | None
    labels: Count
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One item of the adjudication queue: whether somebody has ruled, and what."""

    item: ItemKey
    round: RoundNumber
    state: str
    ruling: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifficultyRow:
    """Items of which the model was this sure when it chose them: on how many of ``n`` people ``differ``."""

    above: Share
    below: Share
    n: Count
    differ: Count
    share: Share | None
    low: Share | None
    high: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRow:
    """How many labels came to say something else than before, in one window of time."""

    since: Time
    corrected: Count


def method_rows(facts: Facts) -> list[Row]:
    """One row a method, by name."""
    standing = facts.labels.standing
    agreed = standing.statuses_L == STATUSES.index(LabelStatus.AGREED)
    conflict = standing.statuses_L == STATUSES.index(LabelStatus.CONFLICT)
    rows = []
    for code, method in enumerate(standing.methods):
        here = standing.methods_L == code
        sure, answers = np.sort(standing.confidences_L[here & agreed]), standing.answers_L[here & agreed]
        rows.append(
            Row(
                method=method,
                agreed=len(sure),
                conflicts=int((here & conflict).sum()),
                withdrawn=int((here & ~agreed & ~conflict).sum()),
                answers=float(answers.mean()) if len(sure) else None,
                confidence=float(sure.mean()) if len(sure) else None,
                doubts=float((1 - sure).sum()) if len(sure) else None,
            )
        )
    return rows


def doubt_rows(facts: Facts) -> list[DoubtRow]:
    """Those in most doubt first, then by key; labels in no doubt are not in it."""
    worst = facts.labels.doubtful(MOST_DOUBTFUL)
    given = facts.answers.of_items(label.item_id for label in worst)
    cast = votes_on(annotation for found in given.values() for annotation in found)
    return [
        DoubtRow(
            item=label.item_key,
            label="conflict" if label.value is None else label.value,
            doubt=round(1 - label.confidence, 6),
            answers=_counted(Counter(str(vote.label) for vote in cast.get(label.item_id, ()))),
            method=label.method,
        )
        for label in worst
    ]


def confidence_rows(facts: Facts) -> list[ConfidenceRow]:
    """How sure the agreed labels are, in bins; none while there are none."""
    standing = facts.labels.standing
    sure = standing.confidences_L[standing.statuses_L == STATUSES.index(LabelStatus.AGREED)]
    if len(sure) == 0:
        return []
    counts = np.bincount(np.searchsorted(EDGES, sure, side="right") - 1, minlength=len(EDGES)).tolist()
    ends = [*EDGES[1:], None]
    return [
        ConfidenceRow(above=above, below=below, labels=n, share=n / len(sure))
        for above, below, n in zip(EDGES, ends, counts, strict=True)
    ]


def queue_rows(facts: Facts, queue: Sequence[Ruling]) -> list[QueueRow]:
    """What waits first, then what was ruled last."""
    waits = [found for found in queue if state_of(found) == WAITING]
    others = [found for found in reversed(queue) if state_of(found) != WAITING]
    shown = [*waits, *others][:MOST_WAITING]
    labels = facts.labels.of_items(found.item_id for found in shown)
    return [
        QueueRow(
            item=found.item,
            round=found.round_number,
            state=state_of(found),
            ruling=labels[found.item_id].value
            if state_of(found) == RULED and found.item_id in labels
            else None,
        )
        for found in shown
    ]


def state_of(found: Ruling) -> str:
    """Where an item of the queue stands, in words."""
    return _QUEUE.get(found.state, TAKEN_BACK)


def difficulty_rows(facts: Facts, votes: Votes) -> list[DifficultyRow]:
    """By how sure the model was, least first; none while nobody shares an item that a model chose."""
    picked = facts.labels.picked()
    shared = (votes.sizes_U > 1) & np.isin(votes.items_U, picked.items_P)
    if not shared.any():
        return []
    sure = picked.confidences_P[np.searchsorted(picked.items_P, votes.items_U[shared])]
    differ = split_U(votes)[shared]
    bins = np.clip(np.searchsorted(DIFFICULTY, sure, side="right") - 1, 0, len(DIFFICULTY) - 2)
    rows = []
    for place, above in enumerate(DIFFICULTY[:-1]):
        n, hits = int((bins == place).sum()), int(differ[bins == place].sum())
        low, high = wilson(hits, n) if n else (None, None)
        share = hits / n if n else None
        ends = {"above": above, "below": DIFFICULTY[place + 1]}
        rows.append(DifficultyRow(**ends, n=n, differ=hits, share=share, low=low, high=high))
    return rows


def correction_rows(facts: Facts) -> list[CorrectionRow]:
    """One row a window of time, quiet ones included."""
    times = facts.labels.corrected_at()
    if len(times) == 0:
        return []
    span = int(times[-1] - times[0])
    width = next((width for width in WIDTHS if span // width < WINDOWS), WIDTHS[-1])
    first = int(times[0]) // width
    counts = np.bincount(times // width - first).tolist()
    return [
        CorrectionRow(since=moment((first + place) * width), corrected=n) for place, n in enumerate(counts)
    ]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
