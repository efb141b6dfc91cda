"""What annotators' answers are judged by. Pure, from everybody's annotations of a project.

An answer is judged by what is known without it: the known label of a gold item, else the ruling on a
conflict, else what most of the other people said. Where nobody else says anything, it is not judged.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from workbench.domain.adjudication import opinions, ruling
from workbench.domain.consensus import usable
from workbench.domain.intervals import Interval, wilson
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


def votes(annotations: Iterable[Annotation]) -> dict[int, list[Annotation]]:
    """What can vote, by item: of each person the newest valid answer, rulings not among them."""
    by_item: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in opinions(annotations):
        by_item[annotation.item_id].append(annotation)
    found = {item_id: usable(versions) for item_id, versions in by_item.items()}
    return {item_id: found[item_id] for item_id in sorted(found) if found[item_id]}


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


def confusion(judged: Iterable[Judged], annotator: str) -> Counter[tuple[str, str]]:
    """How often one person gave each answer, by what it is judged by: (reference, answer)."""
    return Counter((one.reference, one.answer) for one in judged if one.annotator == annotator)
