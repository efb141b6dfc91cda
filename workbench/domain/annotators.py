"""How right, how fast and how steady each annotator is. Pure, from everybody's annotations of a project.

An answer is judged by what is known without it: the known label of a gold item, else the ruling on a
conflict, else what most of the other people said. Where nobody else says anything, it is not judged.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median
from typing import NamedTuple

from workbench.domain.adjudication import opinions, ruling
from workbench.domain.consensus import usable
from workbench.domain.intervals import Interval, difference, wilson
from workbench.domain.records import Annotation

#: This share of the shortest and of the longest times is cut to the next one.
WINSORISED = 0.1


class Share(NamedTuple):
    """How many of how many."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval:
        """Wilson's, at 95 %."""
        return wilson(self.hits, self.n)


class Judged(NamedTuple):
    """One person's answer beside what it is judged by; ``gold`` says that this was known for certain."""

    annotator: str
    answer: str
    reference: str
    gold: bool
    at: datetime

    @property
    def right(self) -> bool:
        """Whether the two are the same."""
        return self.answer == self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the answers of one person show. ``drift`` is the second half's share minus the first half's."""

    annotator: str
    agreement: Share
    gold: Share
    drift: float | None
    drift_interval: Interval | None


def votes(annotations: Iterable[Annotation]) -> dict[int, list[Annotation]]:
    """What can vote, by item: of each person the newest valid answer, rulings not among them."""
    by_item: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in opinions(annotations):
        by_item[annotation.item_id].append(annotation)
    found = {item_id: usable(versions) for item_id, versions in by_item.items()}
    return {item_id: found[item_id] for item_id in sorted(found) if found[item_id]}


def answers(annotations: Iterable[Annotation]) -> list[dict[str, str]]:
    """The answers to each item by annotator, as measures of agreement want them."""
    return [
        {vote.annotator: vote.label for vote in found if vote.label is not None}
        for found in votes(annotations).values()
    ]


def certain(annotations: Iterable[Annotation], known: Mapping[int, str]) -> dict[int, str]:
    """Labels that need no vote: those of gold items, and rulings."""
    by_item: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        if annotation.adjudicates:
            by_item[annotation.item_id].append(annotation)
    ruled = {item_id: found for item_id, versions in by_item.items() if (found := ruling(versions))}
    return {**{i: found.value for i, found in ruled.items() if found.value is not None}, **known}


def judge(annotations: Sequence[Annotation], known: Mapping[int, str]) -> list[Judged]:
    """Judge every answer that can be judged, in the order in which they were given."""
    sure = certain(annotations, known)
    found = [
        Judged(vote.annotator, vote.label, reference, item_id in known, vote.created_at)
        for item_id, cast in votes(annotations).items()
        for vote, reference in _references(cast, sure.get(item_id))
        if vote.label is not None
    ]
    return sorted(found, key=lambda judged: judged.at)


def _references(cast: Sequence[Annotation], sure: str | None) -> Iterator[tuple[Annotation, str]]:
    counts = Counter(vote.label for vote in cast if vote.label is not None)
    for vote in cast:
        reference = sure if sure is not None else _most(counts, but=vote.label)
        if reference is not None:
            yield vote, reference


def _most(counts: Mapping[str, int], *, but: str | None) -> str | None:
    """The answer that most of the others gave; None for a tie, or without others."""
    others = Counter({label: count - (label == but) for label, count in counts.items()})
    ranked = others.most_common(2)
    if not ranked or ranked[0][1] == 0 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return ranked[0][0]


def qualities(annotations: Sequence[Annotation], known: Mapping[int, str]) -> list[Quality]:
    """Measure everybody who gave a valid answer, by name."""
    judged: dict[str, list[Judged]] = defaultdict(list)
    for one in judge(annotations, known):
        judged[one.annotator].append(one)
    names = {vote.annotator for cast in votes(annotations).values() for vote in cast}
    return [_quality(name, judged[name]) for name in sorted(names)]


def _quality(name: str, judged: Sequence[Judged]) -> Quality:
    half = len(judged) // 2
    first, second = _share(judged[:half]), _share(judged[half:])
    steady = bool(first.n and second.n)
    return Quality(
        annotator=name,
        agreement=_share(judged),
        gold=_share([one for one in judged if one.gold]),
        drift=second.hits / second.n - first.hits / first.n if steady else None,
        drift_interval=difference(*second, *first) if steady else None,
    )


def _share(judged: Sequence[Judged]) -> Share:
    return Share(sum(one.right for one in judged), len(judged))


class Typical(NamedTuple):
    """Seconds that an answer took: the one in the middle, and the mean without what is out of all measure."""

    median: float | None
    mean: float | None


def typical_seconds(annotations: Iterable[Annotation]) -> Typical:
    """Say how long one person took for an answer, skips not counted.

    The mean is winsorised: the shortest and longest tenth count as the next ones, because somebody who went
    for lunch with a task open did not work on it.
    """
    ordered = sorted(a.seconds for a in annotations if a.seconds is not None and not a.skipped)
    if not ordered:
        return Typical(None, None)
    cut = int(len(ordered) * WINSORISED)
    low, high = ordered[cut], ordered[len(ordered) - 1 - cut]
    return Typical(median(ordered), fmean(min(max(value, low), high) for value in ordered))


def confusion(judged: Iterable[Judged], annotator: str) -> Counter[tuple[str, str]]:
    """How often one person gave each answer, by what it is judged by: (reference, answer)."""
    return Counter((one.reference, one.answer) for one in judged if one.annotator == annotator)
